// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/virt-sandbox/virt-sandbox/helper"
)

func pauseCommand(manager newManagerFunc) *cobra.Command {
	return standing(manager, true, "Paused", &cobra.Command{
		Use:   "pause NAME… | --all",
		Short: "Have running sandboxes stand still",
		Example: `  virt-sandbox-service pause web1
  virt-sandbox-service pause --all`,
		Long: `Have all processes of running sandboxes stand still until resume. They keep
their memory and their connections, and answer nobody; verbs that look inside
refuse. stop ends a sandbox that is paused. status says that one is halted.`,
	})
}

func resumeCommand(manager newManagerFunc) *cobra.Command {
	return standing(manager, false, "Resumed", &cobra.Command{
		Use:     "resume NAME… | --all",
		Short:   "Have paused sandboxes go on",
		Example: `  virt-sandbox-service resume web1`,
		Long:    `Have sandboxes that pause has stopped go on where they were.`,
	})
}

// standing completes a verb that has sandboxes stand still, or go on.
func standing(manager newManagerFunc, paused bool, past string, command *cobra.Command) *cobra.Command {
	var several many
	command.Args, command.ValidArgsFunction = several.check, completeManyNames
	command.RunE = func(c *cobra.Command, args []string) error {
		m, err := manager()
		if err != nil {
			return err
		}
		return several.each(c.Context(), m, args, past, func(ctx context.Context, d *done, _ io.Writer) error {
			return helper.SetPaused(ctx, m, d.Name, paused)
		})
	}
	several.addFlags(command, true)
	return command
}
