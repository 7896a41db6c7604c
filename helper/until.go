package helper

import (
	"context"
	"io"
)

// streamBuffer is how much passes at a time.
const streamBuffer = 1 << 20

// readUntil gives what in has, until the context ends: also while a read waits for somebody who sends nothing.
func readUntil(ctx context.Context, in io.Reader) io.Reader {
	reader, writer := io.Pipe()
	context.AfterFunc(ctx, func() { writer.CloseWithError(context.Cause(ctx)) })
	go func() {
		_, err := io.CopyBuffer(struct{ io.Writer }{writer}, struct{ io.Reader }{in}, make([]byte, streamBuffer))
		writer.CloseWithError(err)
	}()
	return reader
}

// writeUntil passes on to out what is written, until the context ends: also while out waits for somebody who takes nothing.
// finish waits until all has been taken.
func writeUntil(ctx context.Context, out io.Writer) (passing io.Writer, finish func() error) {
	reader, writer := io.Pipe()
	context.AfterFunc(ctx, func() { reader.CloseWithError(context.Cause(ctx)) })
	done := make(chan error, 1)
	go func() {
		_, err := io.CopyBuffer(struct{ io.Writer }{out}, struct{ io.Reader }{reader}, make([]byte, streamBuffer))
		reader.CloseWithError(err)
		done <- err
	}()
	return writer, func() error {
		writer.Close()
		select {
		case err := <-done:
			return err
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
