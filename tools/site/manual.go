// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"fmt"
	"html/template"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// reference is a manual page as another one names it: a name in bold, and the section.
var reference = regexp.MustCompile(`<b>([a-z][a-z0-9.-]*)</b>\(([158])\)`)

// manualPages renders manual pages, in the order of their names.
func manualPages(sources string) ([]page, error) {
	files, err := filepath.Glob(filepath.Join(sources, "man/*.[158]"))
	if err != nil || len(files) == 0 {
		return nil, errors.Join(fmt.Errorf("no manual pages in %s", sources), err)
	}
	known := make(map[string]bool)
	for _, file := range files {
		known[filepath.Base(file)] = true
	}
	var pages []page
	for _, file := range files {
		name := filepath.Base(file)
		section := filepath.Ext(name)[1:]
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		if other, is := bytes.CutPrefix(text, []byte(".so ")); is { // what it stands for
			if text, err = os.ReadFile(filepath.Join(sources, "man", filepath.Base(strings.TrimSpace(string(other))))); err != nil {
				return nil, err
			}
		}
		var complaints bytes.Buffer
		command := exec.Command("mandoc", "-T", "html", "-I", "os=virt-sandbox", "-O", "fragment,toc")
		command.Stdin, command.Stderr = bytes.NewReader(text), &complaints
		body, err := command.Output()
		if err != nil {
			return nil, fmt.Errorf("render %s: %w\n%s", file, err, complaints.String())
		}
		pages = append(pages, page{
			source: "man/" + name, out: "man/" + name + ".html",
			title: strings.TrimSuffix(name, "."+section) + "(" + section + ")",
			body:  template.HTML(linked(string(body), known)),
		})
	}
	return pages, nil
}

// linked makes links of the names of manual pages that are there.
func linked(body string, known map[string]bool) string {
	body = strings.ReplaceAll(body, "\u2010", "-")
	return reference.ReplaceAllStringFunc(body, func(text string) string {
		m := reference.FindStringSubmatch(text)
		if file := m[1] + "." + m[2]; known[file] {
			return `<a href="` + file + `.html">` + text + `</a>`
		}
		return text
	})
}
