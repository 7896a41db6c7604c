// SPDX-License-Identifier: Apache-2.0

// Package ctxio makes readers and writers end with a context. In: a stream that somebody else may never go on with,
// such as a pipe; out: one that fails once the context ends. Everybody may call it. The goroutine that waits for the
// stream stays until the stream goes on or is closed.
package ctxio

import (
	"context"
	"io"
)

// bufferSize is how many bytes pass at a time.
const bufferSize = 1 << 20

// NewReader returns a reader of what in has. It fails with the context's cause once that ends, also while a read
// waits for somebody who sends nothing.
func NewReader(ctx context.Context, in io.Reader) io.Reader {
	reader, writer := io.Pipe()
	context.AfterFunc(ctx, func() { writer.CloseWithError(context.Cause(ctx)) })
	go func() {
		_, err := io.CopyBuffer(struct{ io.Writer }{writer}, struct{ io.Reader }{in}, make([]byte, bufferSize))
		writer.CloseWithError(err)
	}()
	return reader
}

// NewWriter returns a writer that passes on to out. It fails with the context's cause once that ends, also while out
// waits for somebody who takes nothing. finish is to be called after the last write, and waits until out has taken
// all.
func NewWriter(ctx context.Context, out io.Writer) (w io.Writer, finish func() error) {
	reader, writer := io.Pipe()
	context.AfterFunc(ctx, func() { reader.CloseWithError(context.Cause(ctx)) })
	done := make(chan error, 1)
	go func() {
		_, err := io.CopyBuffer(struct{ io.Writer }{out}, struct{ io.Reader }{reader}, make([]byte, bufferSize))
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
