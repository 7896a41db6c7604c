// SPDX-License-Identifier: Apache-2.0

// Package docs reads the documentation: what its blocks of code say, and where its links lead.
package docs

import (
	"fmt"
	"os"
	"regexp"
	"strings"
)

// Block is a fenced block of code of a page.
type Block struct {
	Line int    // of its fence, from 1
	Info string // what stands behind the fence: "sh run", "yaml"
	Text string
}

// Where says which run has a block of commands.
type Where string

// The runs. Every block of commands says its own behind the fence, "sh run", "sh run docs", or why it has none:
// "sh not run: …".
const (
	Everywhere Where = ""         // test/integration, TestDocs, in make test
	Docs       Where = "docs"     // the same in make test-docs, whose host has more packages
	Packages   Where = "packages" // test/packaging/on-host
	Nowhere    Where = "nowhere"
)

var mark = regexp.MustCompile(`^sh (?:run(?: ([a-z]+))?|not run: (.+))$`)

// Where returns which run has the block, or Nowhere and why none has. What is no block of commands has no run and no
// reason. A block of commands that says neither is an error.
func (b Block) Where() (where Where, reason string, err error) {
	language, _, _ := strings.Cut(b.Info, " ")
	switch language {
	case "bash", "console", "shell":
		return Nowhere, "", fmt.Errorf("a block of %s: call it sh", language)
	case "sh":
	default:
		return Nowhere, "", nil
	}
	m := mark.FindStringSubmatch(b.Info)
	switch {
	case m == nil:
	case m[2] != "":
		return Nowhere, m[2], nil
	case Where(m[1]) == Everywhere, Where(m[1]) == Docs, Where(m[1]) == Packages:
		return Where(m[1]), "", nil
	}
	return Nowhere, "", fmt.Errorf("%q says neither that it is run, as %q does, nor why not, as %q", b.Info,
		"sh run", "sh not run: it takes an hour")
}

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
