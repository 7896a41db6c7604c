package content

import "github.com/virt-sandbox/virt-sandbox/internal/pkgdb"

// Host is where units, packages and files come from.
type Host struct {
	Root     string           // "" for the machine itself
	Packages []pkgdb.Database // in the order in which they are asked
}
