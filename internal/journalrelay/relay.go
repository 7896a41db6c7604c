// SPDX-License-Identifier: Apache-2.0

// Package journalrelay passes on what a container's journal says to the host's, under the unit of this process. In: the
// content of a container that is up, whose root can make anything of its journal, and the units that count; out:
// entries of the host's journal, bounded and printable, each once. It waits for the kernel to tell of changes, and has
// journalctl(1) read, as a user who may do nothing else. The monitor calls it; what else reads journals in contents
// takes its reader.
package journalrelay

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"
)

// Source is a journal to pass on.
type Source struct {
	Content *os.File // the directory that Dir lies in, which root of the container can change
	Place   *os.File // where is kept how far it was passed on; whoever holds it is the only one

	Sandbox string
	Dir     string    // of the journal, below Content: Kept, or Volatile
	Readers uint32    // group that may read it
	Since   time.Time // what is older is not passed on where nothing was yet
	Units   []string  // whose entries are passed on; none: all
}

// Files are the descriptors that Arguments leaves out, in the order of Parse.
func (s *Source) Files() []*os.File { return []*os.File{s.Content, s.Place} }

// Arguments are the rest as words of a command line.
func (s *Source) Arguments() []string {
	return append([]string{
		s.Sandbox, s.Dir, strconv.FormatUint(uint64(s.Readers), 10), strconv.FormatInt(s.Since.UnixMicro(), 10),
	}, s.Units...)
}

// Parse makes a Source of what Files and Arguments gave.
func Parse(files []*os.File, arguments []string) (*Source, error) {
	if len(files) != 2 || len(arguments) < 4 {
		return nil, errors.New("a journal to pass on takes two descriptors and four words")
	}
	readers, err := strconv.ParseUint(arguments[2], 10, 32)
	if err != nil {
		return nil, err
	}
	since, err := strconv.ParseInt(arguments[3], 10, 64)
	if err != nil {
		return nil, err
	}
	return &Source{
		Content: files[0], Place: files[1], Sandbox: arguments[0], Dir: arguments[1],
		Readers: uint32(readers), Since: time.UnixMicro(since), Units: arguments[4:],
	}, nil
}

// Relay passes a journal on until Finish.
type Relay struct {
	source *Source
	send   func([]field) error
	finish func()
	ended  chan struct{}

	// Of its goroutine alone.
	in       *bufio.Reader
	place    place
	budget   budget
	behind   bool          // whether more comes than is passed on
	stumbled int           // readings that failed, since one did not
	took     time.Duration // what the last reading took of a processor
}

// Start begins to pass on. A nil Source is none.
func (s *Source) Start() *Relay {
	if s == nil {
		return nil
	}
	bound()
	host := &journald{socket: hostSocket}
	return s.start(host.send)
}

func (s *Source) start(send func([]field) error) *Relay {
	ctx, cancel := context.WithCancel(context.Background())
	r := &Relay{
		source: s, send: send, finish: cancel, ended: make(chan struct{}), in: bufio.NewReader(nil),
		place: readPlace(s.Place), budget: newBudget(time.Now()),
	}
	go r.run(ctx)
	return r
}

// Finish passes on what is left, and ends; it waits for that no longer than the limit. It is for a container that has
// ended, or is about to.
func (r *Relay) Finish(limit time.Duration) {
	if r == nil {
		return
	}
	r.finish()
	select {
	case <-r.ended:
	case <-time.After(limit):
	}
}

// How often is read. A container that writes without end has a reader take no more than a fiftieth of a processor.
const (
	settle   = 300 * time.Millisecond // after a change, since more of them come
	minPause = time.Second
	maxPause = 30 * time.Second
	share    = 50

	maxTries = 7 // to find a journal that is not there, at ever longer intervals
)

// Bounds of one reading.
const (
	readLimit = 5 * time.Second
	readBytes = 1 << 20
	skipTo    = 500 // entries from the end, where too many came

	lastReads = 8 // when a container ends
	lastLimit = 1500 * time.Millisecond
	onlyLimit = 8 * time.Second // where there is no next start that passes on the rest
)

func (r *Relay) run(ctx context.Context) {
	defer close(r.ended)
	defer r.source.Content.Close()
	for tries := 0; ctx.Err() == nil && tries < maxTries; tries++ {
		if r.follow(ctx) {
			tries = 0
		}
		// The directory is not there, or another one: root inside may just make it.
		wait(ctx, time.Second<<tries)
	}
	<-ctx.Done()
	limit := lastLimit
	if r.source.IsVolatile() {
		limit = onlyLimit
	}
	last, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	for range lastReads {
		if more, err := r.read(last); !more || err != nil {
			break
		}
	}
	r.tellDropped(time.Now().Add(tellEvery))
}

// wait waits, but not beyond the end of the context.
func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// follow passes on what the journal says as long as its directory stays where it is, and reports whether it was there.
func (r *Relay) follow(ctx context.Context) (found bool) {
	dir, err := Open(r.source.Content, r.source.Dir)
	if err != nil {
		return false
	}
	w, err := newWatch(dir)
	dir.Close()
	if err != nil {
		return false
	}
	defer w.close()
	for ctx.Err() == nil {
		more, err := r.readOf(ctx, w)
		if errors.Is(err, errMoved) {
			return true
		}
		wait(ctx, min(max(minPause, share*r.took), maxPause))
		r.tellDropped(time.Now())
		if more {
			continue
		}
		if w.await(ctx, r.budget.nextTelling()) {
			return true
		}
		wait(ctx, settle)
		if w.drain() {
			return true
		}
	}
	return true
}

var errMoved = errors.New("the journal is no more where it was")

// readOf is read, for the directory that is watched.
func (r *Relay) readOf(ctx context.Context, w *watch) (more bool, err error) {
	dir, err := Open(r.source.Content, r.source.Dir)
	if err != nil {
		return false, errMoved
	}
	defer dir.Close()
	if !w.isOf(dir) {
		return false, errMoved
	}
	return r.readDir(ctx, dir)
}

// read passes on what is new, and reports whether there is more.
func (r *Relay) read(ctx context.Context) (more bool, err error) {
	dir, err := Open(r.source.Content, r.source.Dir)
	if err != nil {
		return false, err
	}
	defer dir.Close()
	return r.readDir(ctx, dir)
}

func (r *Relay) readDir(ctx context.Context, dir *os.File) (more bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	from, exact := r.from()
	reader, err := startReader(dir, r.source.Readers, r.arguments(from))
	if err != nil {
		return false, err
	}
	defer context.AfterFunc(ctx, func() { _ = reader.process.Kill() })()
	limited := &io.LimitedReader{R: reader.out, N: readBytes}
	r.in.Reset(limited)
	read, err := r.passOn(ctx, limited, exact)
	more = limited.N == 0
	if more || err != nil {
		// It goes on for longer than this reads.
		cancel()
	}
	took, failed := reader.end()
	r.took = took
	r.behind = more && r.budget.dropped > 0
	r.stumble(failed && read == 0 && !more)
	return more, err
}

// stumble goes on elsewhere after a reading that failed before it came to an entry: files are gone or damaged, or what
// comes next takes more than a reader may have.
func (r *Relay) stumble(failed bool) {
	if !failed {
		r.stumbled = 0
		return
	}
	if r.stumbled++; r.stumbled > maxStumbles {
		r.place, r.stumbled = place{time: uint64(time.Now().UnixMicro())}, 0
		r.budget.dropped++
	}
}

// maxStumbles is after how many of them what comes next is given up.
const maxStumbles = 3

// from is where journalctl begins to read. exact says that it is what is new, and that no times need be compared.
func (r *Relay) from() (option string, exact bool) {
	switch {
	case r.behind:
		return "--lines=" + strconv.Itoa(skipTo), false
	case r.place.cursor != "" && r.stumbled == 0:
		return "--after-cursor=" + r.place.cursor, true
	}
	since := r.since()
	return fmt.Sprintf("--since=@%d.%06d", since/1e6, since%1e6), false
}

func (r *Relay) arguments(from string) []string {
	args := []string{"--no-pager", "--quiet", "--output=export", "--output-fields=" + fields, from}
	for _, unit := range r.source.Units {
		args = append(args, "--unit="+unit)
	}
	return args
}

// since is the time from which on entries are passed on, in microseconds since 1970.
func (r *Relay) since() uint64 {
	if r.place.time > 0 {
		return r.place.time + 1
	}
	return uint64(max(0, r.source.Since.UnixMicro()))
}

// passOn passes entries on until there are no more, and returns how many were read. Errors: of what is no journal.
func (r *Relay) passOn(ctx context.Context, out *io.LimitedReader, exact bool) (read int, err error) {
	for since := r.since(); ctx.Err() == nil; read++ {
		e, err := readEntry(r.in)
		if errors.Is(err, io.EOF) {
			return read, nil
		}
		isCut := err != nil && out.N == 0
		if isCut && read > 0 {
			return read, nil // the next reading begins with it
		}
		if err != nil && !isCut {
			return read, err
		}
		if !isCursor(e.cursor) || !exact && e.time < since {
			continue
		}
		// Before it is sent: one that is killed in between sends nothing twice.
		r.place = place{e.cursor, e.time}
		if err := writePlace(r.source.Place, r.place); err != nil {
			return read, err
		}
		if isCut {
			// Too long for a reading of its own.
			r.budget.dropped++
			return read + 1, nil
		}
		r.pass(e)
	}
	return read, ctx.Err()
}

func (r *Relay) pass(e *entry) {
	if e.hasMessage && (!r.budget.takes(len(e.message)) || r.send(e.forHost(r.source.Sandbox)) != nil) {
		r.budget.dropped++
	}
}

// tellDropped says how many entries were not passed on, if it is time for that.
func (r *Relay) tellDropped(now time.Time) {
	if next := r.budget.nextTelling(); next.IsZero() || now.Before(next) {
		return
	}
	text := fmt.Sprintf("at least %d messages of %s were dropped; no more than %d KiB a second are passed on to this "+
		"journal", r.budget.dropped, r.source.Sandbox, rate>>10)
	_ = r.send([]field{
		{"MESSAGE", text}, {"PRIORITY", strconv.Itoa(warning)}, {"SYSLOG_IDENTIFIER", "virt-sandbox"},
		{"SANDBOX", r.source.Sandbox},
	})
	r.budget.dropped, r.budget.told = 0, now
}
