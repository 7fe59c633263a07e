package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

func newCompletion() *cobra.Command {
	shells := []string{"bash", "zsh", "fish", "powershell"}
	return &cobra.Command{
		Use:   "completion SHELL",
		Short: "Print what lets a shell complete udsgrpc's arguments: " + strings.Join(shells, ", "),
		Long: `It prints a script for bash (with its package bash-completion), zsh, fish or powershell.

Exit status: 0, or 2 if the command was not told what to do.`,
		Example: `  udsgrpc completion bash >~/.local/share/bash-completion/completions/udsgrpc
  udsgrpc completion zsh >"${fpath[1]}/_udsgrpc"
  udsgrpc completion fish >~/.config/fish/completions/udsgrpc.fish`,
		ValidArgs: shells,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 || !slices.Contains(shells, args[0]) {
				return fmt.Errorf("say for which shell: %s", strings.Join(shells, ", "))
			}
			return nil
		},
		RunE: func(verb *cobra.Command, args []string) error {
			root, w := verb.Root(), verb.OutOrStdout()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(w, true)
			case "zsh":
				return root.GenZshCompletion(w)
			case "fish":
				return root.GenFishCompletion(w, true)
			default:
				return root.GenPowerShellCompletionWithDesc(w)
			}
		},
	}
}
