// SPDX-License-Identifier: Apache-2.0

// Command floor does what no generator can do without: it reads every config and drop-in, and writes a unit's bytes for
// each config.
package main

import (
	"log"
	"os"
	"path/filepath"
)

func main() {
	text, err := os.ReadFile(os.Args[3])
	if err != nil {
		log.Fatal(err)
	}
	configs, err := filepath.Glob(filepath.Join(os.Args[1], "*.sandbox"))
	if err != nil {
		log.Fatal(err)
	}
	dropIns, err := filepath.Glob(filepath.Join(os.Args[1], "*.sandbox.d", "*.conf"))
	if err != nil {
		log.Fatal(err)
	}
	for _, dropIn := range dropIns {
		if _, err := os.ReadFile(dropIn); err != nil {
			log.Fatal(err)
		}
	}
	for _, config := range configs {
		if _, err := os.ReadFile(config); err != nil {
			log.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(os.Args[2], filepath.Base(config)), text, 0o644); err != nil {
			log.Fatal(err)
		}
	}
}
