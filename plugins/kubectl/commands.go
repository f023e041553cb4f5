package kubectl

import (
	"github.com/kubepromote/kubepromote/plugins/kubectl/approvalscmd"
	"github.com/kubepromote/kubepromote/plugins/kubectl/approvecmd"
	"github.com/kubepromote/kubepromote/plugins/kubectl/attestcmd"
	"github.com/kubepromote/kubepromote/plugins/kubectl/boardcmd"
	"github.com/kubepromote/kubepromote/plugins/kubectl/buildcmd"
	"github.com/kubepromote/kubepromote/plugins/kubectl/checkcmd"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/plugins/kubectl/copycmd"
	"github.com/kubepromote/kubepromote/plugins/kubectl/democmd"
	"github.com/kubepromote/kubepromote/plugins/kubectl/diffcmd"
	"github.com/kubepromote/kubepromote/plugins/kubectl/doctorcmd"
	"github.com/kubepromote/kubepromote/plugins/kubectl/eventscmd"
	"github.com/kubepromote/kubepromote/plugins/kubectl/explaincmd"
	"github.com/kubepromote/kubepromote/plugins/kubectl/fncmd"
	"github.com/kubepromote/kubepromote/plugins/kubectl/gatescmd"
	"github.com/kubepromote/kubepromote/plugins/kubectl/historycmd"
	"github.com/kubepromote/kubepromote/plugins/kubectl/holdcmd"
	"github.com/kubepromote/kubepromote/plugins/kubectl/imagescmd"
	"github.com/kubepromote/kubepromote/plugins/kubectl/initcmd"
	"github.com/kubepromote/kubepromote/plugins/kubectl/lintcmd"
	"github.com/kubepromote/kubepromote/plugins/kubectl/optionscmd"
	"github.com/kubepromote/kubepromote/plugins/kubectl/promotecmd"
	"github.com/kubepromote/kubepromote/plugins/kubectl/rendercmd"
	"github.com/kubepromote/kubepromote/plugins/kubectl/reportcmd"
	"github.com/kubepromote/kubepromote/plugins/kubectl/resolvecmd"
	"github.com/kubepromote/kubepromote/plugins/kubectl/runbookcmd"
	"github.com/kubepromote/kubepromote/plugins/kubectl/setcmd"
	"github.com/kubepromote/kubepromote/plugins/kubectl/statuscmd"
	"github.com/kubepromote/kubepromote/plugins/kubectl/verifybundlecmd"
	"github.com/kubepromote/kubepromote/plugins/kubectl/verifycmd"
	"github.com/kubepromote/kubepromote/plugins/kubectl/versioncmd"
	"github.com/spf13/cobra"
)

// subcommands lists them all; see CONTRIBUTING.md for what one more needs.
func subcommands(s *cli.Session) []*cobra.Command {
	return []*cobra.Command{
		promotecmd.NewRun(s),
		promotecmd.NewPlan(s),
		promotecmd.NewApply(s),
		gatescmd.New(s),
		checkcmd.New(s),
		attestcmd.New(s),
		approvecmd.New(s),
		approvalscmd.New(s),
		promotecmd.NewRollback(s),
		holdcmd.New(s),
		holdcmd.NewUnhold(s),
		eventscmd.New(s),

		rendercmd.New(s),

		diffcmd.New(s),
		diffcmd.NewParity(s),
		diffcmd.NewDrift(s),
		boardcmd.New(s, Run),
		statuscmd.New(s),
		historycmd.New(s),
		reportcmd.New(s),
		buildcmd.New(s),
		fncmd.New(s),
		lintcmd.New(s),
		runbookcmd.New(s),
		doctorcmd.New(s),

		setcmd.New(s),
		imagescmd.New(s),
		resolvecmd.New(s),
		verifycmd.New(s),
		verifybundlecmd.New(s),
		copycmd.New(s),

		democmd.New(s, Run),
		initcmd.New(s),
		explaincmd.New(s),
		optionscmd.New(s),
		versioncmd.New(s),
	}
}
