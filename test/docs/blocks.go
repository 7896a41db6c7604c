// SPDX-License-Identifier: Apache-2.0

// Package docs reads the documentation: what its blocks of code say, and where its links lead.
package docs

import (
	"os"
	"strings"
)

// Block is a fenced block of code of a page.
type Block struct {
	Line int    // of its fence, from 1
	Info string // what stands behind the fence: "sh", "sh run"
	Text string
}

// Run reports whether a test runs the block (test/integration, TestDocs).
func (b Block) Run() bool { return b.Info == "sh run" }

// Blocks returns the blocks of a page.
func Blocks(file string) ([]Block, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var blocks []Block
	inside := false
	number := 0
	for line := range strings.Lines(string(text)) {
		number++
		info, fence := strings.CutPrefix(line, "```")
		switch {
		case fence && !inside:
			blocks = append(blocks, Block{Line: number, Info: strings.TrimSpace(info)})
			inside = true
		case fence:
			inside = false
		case inside:
			blocks[len(blocks)-1].Text += line
		}
	}
	return blocks, nil
}
