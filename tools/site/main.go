// SPDX-License-Identifier: Apache-2.0

// Command site makes a static site of README.md, the other pages and the manual pages, and tells what is wrong with it.
//
//	site SOURCES OUT            writes the site into the directory OUT, and looks for links that lead nowhere
//	site -browser PROGRAM OUT   looks at a site with headless Chromium: nothing may be wider than a telephone; pictures of
//	                            pages lie in OUT.pictures then
//
// Manual pages are rendered by mandoc(1), which must be installed.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	browser := flag.String("browser", "", "look at the site OUT with this `PROGRAM`, a Chromium")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: site SOURCES OUT | site -browser PROGRAM OUT")
		os.Exit(2)
	}
	flag.Parse()
	var err error
	switch args := flag.Args(); {
	case *browser != "" && len(args) == 1:
		err = look(*browser, args[0])
	case *browser == "" && len(args) == 2:
		if err = build(args[0], args[1]); err == nil {
			err = checkLinks(args[1])
		}
	default:
		flag.Usage()
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "site: %v\n", err)
		os.Exit(1)
	}
}
