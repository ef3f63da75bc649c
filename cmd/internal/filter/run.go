package filter

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/cli"
	"github.com/doorstep-mail/doorstep/delivery/sieve"
	"github.com/doorstep-mail/doorstep/delivery/sieve/message"
	"github.com/doorstep-mail/doorstep/delivery/sieve/syntax"
	"github.com/spf13/cobra"
)

// A Report is what run prints as JSON.
type Report struct {
	Scripts []ScriptReport `json:"scripts"`
	Trace   []sieve.Event  `json:"trace,omitempty"`
	Result  ResultReport   `json:"result"`
}

// A ScriptReport is what a script took.
type ScriptReport struct {
	Name  string `json:"name"`
	Steps int64  `json:"steps"`
	Micro int64  `json:"us"`
}

// A ResultReport is what would be done with the message.
type ResultReport struct {
	Store        []StoreReport   `json:"store"`
	Redirect     []string        `json:"redirect"`
	Reject       []string        `json:"reject"` // the reason
	Notify       []string        `json:"notify"` // addresses
	Pipe         []PipeReport    `json:"pipe"`
	Report       []AbuseReport   `json:"report"`
	Vacation     *VacationReport `json:"vacation,omitempty"`
	ImplicitKeep bool            `json:"implicit_keep"`
	Discarded    bool            `json:"discarded"`
	Warnings     []*sieve.Error  `json:"warnings"`
	Error        *sieve.Error    `json:"error,omitempty"`
}

// A VacationReport is an answer that the sender would get, if the mail may be answered.
type VacationReport struct {
	Subject string `json:"subject"`
	Reason  string `json:"reason"`
	From    string `json:"from"`
	Seconds uint64 `json:"seconds"`
	Copy    string `json:"copy,omitempty"` // the folder that gets one
}

// A PipeReport is a program that would get the message.
type PipeReport struct {
	Program string   `json:"program"`
	Args    []string `json:"args"`
	Try     bool     `json:"try"`
}

// An AbuseReport is a report of abuse that would be sent.
type AbuseReport struct {
	Type    string `json:"type"`
	To      string `json:"to"`
	Message string `json:"message"`
}

// A StoreReport is a copy that would be stored; the folder is empty for the inbox.
type StoreReport struct {
	Folder     string   `json:"folder"`
	Create     bool     `json:"create"`
	SpecialUse string   `json:"special_use,omitempty"` // of a folder that is made
	Flags      []string `json:"flags"`
	// Rewritten says that the copy has another body: replace, enclose or a program.
	Rewritten bool `json:"rewritten,omitempty"`
}

// runCommand runs a script on a message.
func runCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "run SCRIPT",
		Short: "Print what a Sieve script would do with a message",
		Long: "Run runs a script on a message, and prints what would become of the message. Nothing is done: no\n" +
			"mail is stored, sent or refused. Every folder is taken to exist, unless --folder names those that do.\n\n" +
			"With --programs a script may require vnd.dovecot.pipe, vnd.dovecot.filter and vnd.dovecot.execute. What\n" +
			"filter and execute name is run then, because the script goes on with what it says; pipe is not.",
		Example: "  doorstep sieve run filter.sieve --message mail.eml -f bob@example.com -t alice@example.org --trace",
		Args:    cli.OneArgument("the script"),
	}
	flags := cmd.Flags()
	file := flags.String("message", "", "file with the message")
	from := flags.StringP("from", "f", "", "sender of the envelope")
	to := flags.StringP("to", "t", "", "recipient of the envelope")
	folders := flags.StringSlice("folder", nil, "folder that exists, beside the inbox")
	trace := flags.Bool("trace", false, "print each test and action")
	asJSON := flags.Bool("json", false, "print JSON")
	listFiles := flags.StringToString("list", nil,
		"file with the values of a list, one a line, by its name: :addrbook:default=friends.txt")
	spam, virus := verdictFlag(cmd, "spamtest", 10), verdictFlag(cmd, "virustest", 5)
	allow, programs := allowFlags(cmd), programFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		o := sieve.Options{Included: included(args[0])}
		if err := allow(&o); err != nil {
			return err
		}
		if *file == "" {
			return cli.Mistake(cmd, errors.New("--message is missing"), "")
		}
		isSpam, err := spam()
		if err != nil {
			return err
		}
		isVirus, err := virus()
		if err != nil {
			return err
		}
		listed, err := readLists(*listFiles)
		if err != nil {
			return cli.Failed(err, "")
		}
		source, err := read(args[0])
		if err != nil {
			return err
		}
		runner, err := programs()
		if err != nil {
			return err
		}
		if runner != nil {
			allowPrograms(&o)
			defer closeRunner(runner, &err)
		}
		program, problems := sieve.Compile(source, o)
		printProblems(cmd, problems)
		if program == nil {
			return &cli.Failure{Code: cli.ExitUsage}
		}
		m, closeMessage, err := openMessage(*file)
		tooLarge := errors.Is(err, message.ErrHeader)
		if err != nil && !tooLarge {
			return cli.Failed(err, "")
		}
		defer closeMessage()
		in := &sieve.Input{
			Message:  m,
			Envelope: sieve.Envelope{From: strings.Trim(*from, "<>"), To: strings.Trim(*to, "<>")},
			Host:     host(*folders), Now: time.Now(), Lists: listed, Spam: isSpam, Virus: isVirus,
		}
		if runner != nil {
			runner.User = cmp.Or(in.Envelope.To, runner.User)
			in.Programs = runner
		}
		report := Report{}
		if *trace {
			in.Trace = func(e sieve.Event) { report.Trace = append(report.Trace, e) }
		}
		began := time.Now()
		var result sieve.Result
		if tooLarge {
			result = program.Unreadable(in, err)
		} else {
			result = program.Run(cmd.Context(), in)
		}
		report.Scripts = []ScriptReport{{program.Name, result.Steps, time.Since(began).Microseconds()}}
		report.Result = reportOf(result)
		if *asJSON {
			err = printJSON(cmd.OutOrStdout(), report)
		} else {
			printReport(cmd, report)
		}
		if err == nil && result.Err != nil {
			err = &cli.Failure{Code: cli.ExitFailure}
		}
		return err
	}
	return cmd
}

// printJSON prints one object.
func printJSON(w io.Writer, report Report) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(report)
}

// openMessage opens a message in a file.
func openMessage(file string) (*message.Message, func(), error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, nil, err
	}
	closeFile := func() { _ = f.Close() } // it was read only
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no regular file", file)
	}
	var m *message.Message
	if err == nil {
		m, err = message.Read(f, info.Size())
	}
	if err != nil {
		closeFile()
		return nil, func() {}, fmt.Errorf("read the message: %w", err)
	}
	return m, closeFile, nil
}

// included finds scripts that others include beside them, by their names.
func included(file string) func(place, name string) (*syntax.Source, error) {
	return func(_, name string) (*syntax.Source, error) {
		return read(filepath.Join(filepath.Dir(file), name+".sieve"))
	}
}

// host answers for folders that exist; none are named: all.
type host []string

func (h host) HasFolder(_ context.Context, name string) bool {
	if len(h) == 0 || strings.EqualFold(name, "INBOX") {
		return true
	}
	for _, folder := range h {
		if folder == name {
			return true
		}
	}
	return false
}

func (h host) SpecialUse(context.Context, string) (string, bool) { return "", false }

func (h host) Seen(context.Context, string, string) bool { return false }

func (h host) Environment(string) (string, bool) { return "", false }

// lists are those of files, by their names.
type lists map[string]sieve.ListFile

func (l lists) HasList(name string) bool { return l[name] != nil }

func (l lists) InList(_ context.Context, name, value string) (bool, error) {
	return l[name].Has(value), nil
}

func readLists(files map[string]string) (lists, error) {
	all := lists{}
	for name, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		all[sieve.ListName(name)] = sieve.ReadList(string(text))
	}
	return all, nil
}

// reportOf takes a result apart.
func reportOf(result sieve.Result) ResultReport {
	report := ResultReport{
		Store: []StoreReport{}, Redirect: []string{}, Reject: []string{}, Notify: []string{}, Discarded: result.Discarded,
		Pipe: []PipeReport{}, Report: []AbuseReport{},
		Warnings: append([]*sieve.Error{}, result.Warnings...), Error: result.Err,
	}
	for _, action := range result.Actions {
		switch a := action.(type) {
		case *sieve.Store:
			report.ImplicitKeep = report.ImplicitKeep || a.Implicit
			report.Store = append(report.Store, StoreReport{
				a.Folder, a.Create, a.SpecialUse, append([]string{}, a.Flags...), a.Body != nil,
			})
		case *sieve.Redirect:
			report.Redirect = append(report.Redirect, a.To)
		case *sieve.Notify:
			for _, to := range slices.Concat(a.To, a.Cc) {
				report.Notify = append(report.Notify, to.Text)
			}
		case *sieve.Pipe:
			report.Pipe = append(report.Pipe, PipeReport{a.Program, append([]string{}, a.Args...), a.Try})
		case *sieve.Report:
			report.Report = append(report.Report, AbuseReport{a.Type, a.To, a.Message})
		case *sieve.Vacation:
			report.Vacation = &VacationReport{Subject: a.Subject, Reason: a.Reason, From: a.From, Seconds: a.Seconds}
			if a.Copy != nil {
				report.Vacation.Copy = a.Copy.Folder
			}
		case *sieve.Reject:
			report.Reject = append(report.Reject, a.Reason)
		}
	}
	return report
}

// printReport prints a report for people.
func printReport(cmd *cobra.Command, report Report) {
	w := cmd.OutOrStdout()
	for _, e := range report.Trace {
		fmt.Fprintf(w, "%s:%d:%d: %s\n", e.Script, e.Line, e.Column, describe(e))
	}
	r := report.Result
	for _, warning := range r.Warnings {
		fmt.Fprintf(cmd.ErrOrStderr(), "%v\n", warning)
	}
	if r.Error != nil {
		fmt.Fprintf(cmd.ErrOrStderr(), "%v\n", r.Error)
	}
	for _, s := range r.Store {
		folder := "the inbox"
		if s.Folder != "" {
			folder = "folder " + s.Folder
		}
		line := "store in " + folder
		if len(s.Flags) > 0 {
			line += " with " + strings.Join(s.Flags, " ")
		}
		if s.Create {
			line += ", which is made if it is missing"
		}
		if s.Rewritten {
			line += ", with another body"
		}
		if r.ImplicitKeep && s.Folder == "" {
			line += " (implicit keep)"
		}
		fmt.Fprintln(w, line)
	}
	for _, to := range r.Redirect {
		fmt.Fprintln(w, "redirect to "+to)
	}
	for _, p := range r.Pipe {
		fmt.Fprintln(w, "pipe to "+strings.Join(append([]string{p.Program}, p.Args...), " "))
	}
	for _, a := range r.Report {
		fmt.Fprintf(w, "report %s to %s\n", a.Type, a.To)
	}
	for _, to := range r.Notify {
		fmt.Fprintln(w, "notify "+to)
	}
	if v := r.Vacation; v != nil {
		fmt.Fprintf(w, "answer, once in %v: %s\n", time.Duration(v.Seconds)*time.Second, strings.TrimSpace(v.Reason))
		if v.Copy != "" {
			fmt.Fprintln(w, "store a copy of the answer in folder "+v.Copy)
		}
	}
	for _, reason := range r.Reject {
		fmt.Fprintln(w, "refuse: "+strings.TrimSpace(reason))
	}
	if r.Discarded {
		fmt.Fprintln(w, "discard")
	}
}

// describe words an event.
func describe(e sieve.Event) string {
	if e.Action != "" {
		return strings.TrimSpace("do " + e.Action + " " + e.Detail)
	}
	text := "test " + e.Test
	switch {
	case e.Match == "":
	case e.Value == "" && e.Key == "" && !*e.Outcome:
		text += " :" + e.Match + ", there was nothing to compare"
	default:
		text += fmt.Sprintf(" :%s, last compared %q with %q", e.Match, e.Value, e.Key)
	}
	return fmt.Sprintf("%s: %v", text, *e.Outcome)
}
