package helper

import "github.com/virt-sandbox/virt-sandbox/internal/describe"

// What an administrator asks of the verbs that make sandboxes.
type (
	CreateOptions = describe.Options
	ImageOptions  = describe.ImageOptions
	CloneOptions  = describe.CloneOptions
	ImportOptions = describe.ImportOptions
)

// OptionError is an option whose value cannot be used, or that does not go with others: a mistake in the command line.
type OptionError = describe.OptionError
