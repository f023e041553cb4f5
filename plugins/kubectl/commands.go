package kubectl

import "github.com/spf13/cobra"

// subcommands lists them all; see CONTRIBUTING.md for what one more needs.
func subcommands(s *session) []*cobra.Command {
	return []*cobra.Command{
		newRunCommand(s),
		newPlanCommand(s),
		newAttestCommand(s),
		newApproveCommand(s),

		newStatusCommand(s),
		newHistoryCommand(s),
		newBuildCommand(s),
		newLintCommand(s),

		newSetCommand(s),
		newImagesCommand(s),
		newResolveCommand(s),
		newVerifyCommand(s),
		newVerifyBundleCommand(s),
		newCopyCommand(s),

		newDemoCommand(s, Run),
		newOptionsCommand(s),
		newVersionCommand(s),
	}
}
