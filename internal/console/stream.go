// SPDX-License-Identifier: Apache-2.0

package console

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"syscall"
)

// errStopped is what a writer gets when nobody reads any more: the error of a pipe.
var errStopped error = syscall.EPIPE

// sender is the writing side of a stream.
type sender struct {
	link   *link
	id     uint8
	mu     sync.Mutex
	change sync.Cond
	credit uint64
	err    error // why nothing more can be written
}

func newSender(l *link, id uint8) *sender {
	s := &sender{link: l, id: id, credit: Window}
	s.change.L = &s.mu
	return s
}

// Write implements io.Writer. It waits while the reader is behind.
func (s *sender) Write(p []byte) (written int, err error) {
	for len(p) > 0 {
		n, err := s.take(len(p))
		if err != nil {
			return written, err
		}
		if err := s.link.send(frame{kindData, s.id, p[:n]}); err != nil {
			return written, err
		}
		written += n
		p = p[n:]
	}
	return written, nil
}

// take waits for credit and takes as much of it as one frame can use.
func (s *sender) take(most int) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.credit == 0 && s.err == nil {
		s.change.Wait()
	}
	if s.err != nil {
		return 0, s.err
	}
	n := min(most, MaxPayload, int(min(s.credit, MaxPayload)))
	s.credit -= uint64(n)
	return n, nil
}

// Close implements io.Closer: the reader finds the end of file.
func (s *sender) Close() error {
	if !s.fail(errStopped) {
		return nil
	}
	return s.link.send(frame{kind: kindEnd, stream: s.id})
}

// fail ends all writing; false where it had ended before.
func (s *sender) fail(err error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return false
	}
	s.err = err
	s.change.Broadcast()
	return true
}

func (s *sender) grant(n uint32) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.credit += uint64(n)
	if s.credit > Window {
		return fmt.Errorf("%w: more credit than there is data", ErrProtocol)
	}
	s.change.Broadcast()
	return nil
}

// receiver is the reading side of a stream.
type receiver struct {
	link   *link
	id     uint8
	mu     sync.Mutex
	change sync.Cond
	data   []byte // received, not read yet
	read   int    // and not credited yet
	err    error  // what comes after the data
}

func newReceiver(l *link, id uint8) *receiver {
	r := &receiver{link: l, id: id}
	r.change.L = &r.mu
	return r
}

// Read implements io.Reader.
func (r *receiver) Read(p []byte) (int, error) {
	r.mu.Lock()
	for len(r.data) == 0 && r.err == nil {
		r.change.Wait()
	}
	n := copy(p, r.data)
	r.data = r.data[n:]
	r.read += n
	credit, err := 0, r.err
	if len(r.data) > 0 || n > 0 {
		err = nil
	}
	if r.read >= Window/4 && r.err == nil {
		credit, r.read = r.read, 0
	}
	r.mu.Unlock()
	if credit > 0 {
		// Where that fails, so does the next read.
		_ = r.link.send(frame{kindCredit, r.id, binary.BigEndian.AppendUint32(nil, uint32(credit))})
	}
	return n, err
}

// Close implements io.Closer: the writer is told that nobody reads any more.
func (r *receiver) Close() error {
	if !r.finish(io.ErrClosedPipe) {
		return nil
	}
	return r.link.send(frame{kind: kindStop, stream: r.id})
}

// finish has reads end with an error once the data is read; false where they do already.
func (r *receiver) finish(err error) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if errors.Is(err, io.ErrClosedPipe) {
		r.data = nil
	}
	if r.err != nil {
		return false
	}
	r.err = err
	r.change.Broadcast()
	return true
}

func (r *receiver) put(p []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case errors.Is(r.err, io.ErrClosedPipe):
		return nil // It was under way when reading stopped.
	case r.err != nil:
		return fmt.Errorf("%w: data after the end", ErrProtocol)
	case len(r.data)+r.read+len(p) > Window:
		return fmt.Errorf("%w: more data than there is credit", ErrProtocol)
	}
	r.data = append(r.data, p...)
	r.change.Broadcast()
	return nil
}
