// SPDX-License-Identifier: Apache-2.0

package hostetc

import "os"

// Look is a scan of /etc that has begun.
type Look struct {
	store *Store
	done  chan struct{}
	found *scan
	err   error
}

// Look begins to scan /etc, which takes some milliseconds, while its caller does something else. It ends by itself.
func (s *Store) Look() *Look {
	l := &Look{store: s, done: make(chan struct{})}
	go func() {
		defer close(l.done)
		l.err = s.inEtc(func(etc *os.File) (err error) {
			l.found, err = take(etc)
			return err
		})
	}()
	return l
}

// Use is as the Store's, for /etc as it was when Look was called or later.
func (l *Look) Use(note func(generation string) error) (dir string, err error) {
	first := func(*os.File) (*scan, error) {
		<-l.done
		return l.found, l.err
	}
	return l.store.useFrom(first, note)
}
