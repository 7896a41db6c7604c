// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/helper"
	"github.com/virt-sandbox/virt-sandbox/internal/unitfile"
)

// completeOptions has the shell offer values of a command's options, by the options' names: one of the same name takes
// the same with every verb, but for the few that are named with their verb.
func completeOptions(command *cobra.Command) {
	completions := map[string]cobra.CompletionFunc{
		"connect":         offer(helper.DefaultURI),
		"unitfile":        completeUnits,
		"reload unitfile": completeInnerUnits,
		"unit":            completeInnerUnits,
		"package":         cobra.NoFileCompletions,
		"template":        completeTemplates,
		"level":           offer("s0:c"),
		"security":        offer("static,label=", "apparmor,profile="),
		"filetype":        offer("container_file_t"),
		"path":            completeDirectories,
		"homedir":         completeDirectories,
		"output-dir":      completeDirectories,
		"network": offer(string(config.NetworkPrivate), string(config.NetworkHost), "dhcp", "dhcp,source=",
			"source=", "bridge="),
		"mount":        offer(mountKinds()...),
		"include":      completeFiles,
		"show":         completeFiles,
		"imagesize":    cobra.NoFileCompletions,
		"image":        cobra.NoFileCompletions,
		"image-format": offer(string(config.FormatRaw), string(config.FormatQCOW2)),
		"image-fs":     offer(string(config.Ext4), string(config.XFS)),
		"disk":         cobra.NoFileCompletions,
		"capabilities": offer(string(config.NamesAuto), string(config.NamesAll)),
		"system-calls": offer(string(config.NamesAuto), string(config.NamesAll)),
		"idmap":        offer("auto", "none"),
		"jobs":         cobra.NoFileCompletions,
		"uid":          cobra.NoFileCompletions,
		"gid":          cobra.NoFileCompletions,
		"username":     cobra.NoFileCompletions,
		"state": offer("running", "degraded", "done", "starting", "stopping", "stopped", "deleting",
			"unusable", "masked", "unknown"),
		"signal":     offer("TERM", "HUP", "INT", "QUIT", "KILL", "USR1", "USR2", "STOP", "CONT"),
		"lines":      offer("all"),
		"boot":       offer("0", "-1", "all"),
		"grep":       cobra.NoFileCompletions,
		"identifier": cobra.NoFileCompletions,
		"since":      offer("today", "yesterday"),
		"until":      offer("today", "yesterday"),
		"priority":   offer("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"),
		"output":     offer(helper.LogForms()...),
	}
	for _, c := range append([]*cobra.Command{command}, command.Commands()...) {
		for name, completion := range completions {
			if verb, option, found := strings.Cut(name, " "); found {
				if verb != c.Name() {
					continue
				}
				name = option
			} else if completions[c.Name()+" "+name] != nil {
				continue
			}
			if c.LocalFlags().Lookup(name) != nil {
				// It fails for an option that has one, and there is none.
				_ = c.RegisterFlagCompletionFunc(name, completion)
			}
		}
	}
}

// mountKinds begins the value of -m with each kind of mount.
func mountKinds() (words []string) {
	for _, kind := range config.MountKinds() {
		words = append(words, string(kind)+":")
	}
	return words
}

// offer returns those of the words that begin as the one that is typed; after a sign that something has to follow there
// is no blank.
func offer(words ...string) cobra.CompletionFunc {
	return func(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		list := beginning(words, typed)
		directive := cobra.ShellCompDirectiveNoFileComp
		if !slices.ContainsFunc(
			list,
			func(word string) bool { return !strings.ContainsAny(word[len(word)-1:], "=:") && word != "s0:c" },
		) {
			directive |= cobra.ShellCompDirectiveNoSpace
		}
		return list, directive
	}
}

func beginning(words []string, typed string) []string {
	return slices.DeleteFunc(slices.Clone(words), func(word string) bool { return !strings.HasPrefix(word, typed) })
}

// completeNames offers the sandboxes that exist, for the first argument; what follows it, if anything, is new.
func completeNames(c *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return completeManyNames(c, args, typed)
}

// completeNameAndFiles offers them for the first argument, and files for what follows.
func completeNameAndFiles(c *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveDefault
	}
	return completeManyNames(c, args, typed)
}

// completeManyNames offers the sandboxes that exist and are not named yet.
func completeManyNames(_ *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	names, err := config.OpenStore().Names()
	return others(names, args, typed, err)
}

// completeTemplates offers the templates that are there.
func completeTemplates(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
	names, err := config.OpenStore().Tree().Templates()
	return others(names, nil, typed, err)
}

// completeConfigs offers sandboxes and templates.
func completeConfigs(_ *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	store := config.OpenStore()
	names, err := store.Names()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	templates, err := store.Tree().Templates()
	return others(append(names, templates...), args, typed, err)
}

// completeUpgradable offers legacy sandboxes too.
func completeUpgradable(_ *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	names, err := helper.New(helper.Options{}).UpgradableNames()
	return others(names, args, typed, err)
}

func others(names, args []string, typed string, err error) ([]string, cobra.ShellCompDirective) {
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	names = slices.DeleteFunc(names, func(name string) bool { return slices.Contains(args, name) })
	return beginning(names, typed), cobra.ShellCompDirectiveNoFileComp
}

// completeArchive offers files for the first argument; the second is a new name.
func completeArchive(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return nil, cobra.ShellCompDirectiveDefault
}

// completeCommand offers nothing for a new name, and files for the command after it.
func completeCommand(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return nil, cobra.ShellCompDirectiveDefault
}

func completeDirectories(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveFilterDirs
}

// completeFiles offers directories and files.
func completeFiles(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveDefault
}

// completeUnits offers the units of the host.
func completeUnits(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
	return unitfile.Root("").Names(typed), cobra.ShellCompDirectiveNoFileComp
}

// completeInnerUnits offers the units of the sandbox that is named, and before one is those of the host.
func completeInnerUnits(c *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		if s, err := config.OpenStore().Load(args[0]); err == nil {
			return beginning(s.Units, typed), cobra.ShellCompDirectiveNoFileComp
		}
	}
	return completeUnits(c, args, typed)
}
