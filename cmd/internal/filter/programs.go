package filter

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"slices"
	"strconv"
	"syscall"

	"github.com/doorstep-mail/doorstep/cmd/internal/cli"
	"github.com/doorstep-mail/doorstep/config"
	"github.com/doorstep-mail/doorstep/delivery/sieve"
	"github.com/doorstep-mail/doorstep/delivery/sieve/program"
	"github.com/doorstep-mail/doorstep/mailbox"
	"github.com/spf13/cobra"
)

// programFlags adds --programs and --as, and returns what makes a runner of them: nil without --programs.
func programFlags(cmd *cobra.Command) func() (*program.Runner, error) {
	dir := cmd.Flags().String("programs", "", "`directory` of the programs that scripts may run")
	as := cmd.Flags().String("as", "", "the `user` as whom they run")
	return func() (*program.Runner, error) {
		switch {
		case *dir == "" && *as != "":
			return nil, cli.Mistake(cmd, errors.New("--as is of no use without --programs"), "")
		case *dir == "":
			return nil, nil
		case *as == "" && os.Geteuid() == 0:
			return nil, cli.Mistake(cmd, errors.New("programs would run as root"), "--as names the owner of the mailbox")
		}
		r := &program.Runner{}
		if err := runAs(r, *as); err != nil {
			return nil, cli.Mistake(cmd, err, "")
		}
		host, err := os.Hostname()
		if err != nil {
			return nil, cli.Failed(err, "")
		}
		r.Host = host
		r.Directory, err = program.Open(program.Options{
			Path: *dir, Owner: uint32(os.Geteuid()), Spool: mailbox.SpoolDirectory(),
		})
		var hinted *sieve.Hinted
		switch {
		case errors.As(err, &hinted):
			return nil, cli.Failed(fmt.Errorf("--programs: %w", err), hinted.Hint)
		case err != nil:
			return nil, cli.Failed(fmt.Errorf("--programs: %w", err), "")
		}
		return r, nil
	}
}

// runAs makes a user the one as whom a runner runs programs; empty is the present one.
func runAs(r *program.Runner, name string) error {
	uid := os.Geteuid()
	if name != "" {
		var gid int
		var err error
		if uid, gid, err = config.PrimaryIDs(name); err != nil {
			return err
		}
		switch {
		case uid == os.Geteuid():
		case os.Geteuid() != 0:
			return fmt.Errorf("this is user %d, who cannot become user %s", os.Geteuid(), name)
		default:
			r.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		}
	}
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil { // a number that no user has has no name and no home
		r.User, r.Home = u.Username, u.HomeDir
	}
	return nil
}

// closeRunner removes what programs wrote.
func closeRunner(r *program.Runner, err *error) {
	if e := r.Close(); e != nil {
		*err = errors.Join(*err, e)
	}
}

// programCommands are the extensions that --programs turns on.
var programCommands = []string{"vnd.dovecot.execute", "vnd.dovecot.filter", "vnd.dovecot.pipe"}

// allowPrograms lets scripts require these.
func allowPrograms(o *sieve.Options) {
	own, global := o.Allowed, o.AllowedGlobal
	runs := func(e *sieve.Extension) bool { return slices.Contains(programCommands, e.Name) }
	o.Allowed = func(e *sieve.Extension) bool { return own(e) || runs(e) }
	o.AllowedGlobal = func(e *sieve.Extension) bool { return global(e) || runs(e) }
}
