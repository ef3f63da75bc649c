// Package svtest runs test scripts in the form of Pigeonhole's test suite: Sieve scripts that require
// vnd.dovecot.testsuite, whose commands set a message, run other scripts, and look at what these did to a store that is
// in memory.
package svtest

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/doorstep-mail/doorstep/delivery/sieve"
	"github.com/doorstep-mail/doorstep/delivery/sieve/message"
	"github.com/doorstep-mail/doorstep/delivery/sieve/program"
	"github.com/doorstep-mail/doorstep/delivery/sieve/syntax"
)

// A Block is the outcome of a test of a file.
type Block struct {
	File string `json:"file"`
	Line int    `json:"line"`
	Test string `json:"test"`
	OK   bool   `json:"ok"`
	Text string `json:"text,omitempty"` // why it failed
}

// A suite is a test file that runs.
type suite struct {
	dir      string
	blocks   []Block
	settings map[string]string
	store    *store
	programs *program.Runner // nil for none
	problems []string        // what the last script that was compiled or run had
	script   *sieve.Program
	result   *sieve.Result // of the last run of script; nil if there was none
	current  *syntax.Source
	failed   string // the test that runs: why it failed
	isFailed bool
}

// Run runs the tests of a file, with the programs of a runner; nil for none. The problems are those of the file itself:
// none of its tests runs then.
func Run(ctx context.Context, file string, programs *program.Runner) ([]Block, []syntax.Problem, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, nil, err
	}
	s := &suite{dir: filepath.Dir(file), settings: map[string]string{}, store: newStore(), programs: programs}
	if programs != nil {
		programs.User, programs.Home, programs.Host = s.store.items["vnd.dovecot.username"], "/", s.store.items["host"]
	}
	s.current = &syntax.Source{Name: file, Text: string(text)}
	o := s.options(s.dir)
	program, problems := sieve.Compile(s.current, o)
	if program == nil {
		return nil, problems, nil
	}
	in := s.input()
	result := program.Run(ctx, in)
	if err := result.Err; err != nil {
		s.blocks = append(s.blocks, Block{File: file, Line: err.Line, Test: "(outside of tests)", Text: err.Text})
	}
	return s.blocks, nil, nil
}

// input is how a test file begins: a message that is nearly empty, with a sender and a recipient.
func (s *suite) input() *sieve.Input {
	return &sieve.Input{
		Message:  s.message([]byte("From: sender@example.com\r\nTo: recipient@example.org\r\n\r\n")),
		Envelope: sieve.Envelope{From: "sender@example.com", To: "recipient@example.org"},
		Host:     s.store,
		Lists:    (*lists)(s),
		Programs: s,
		Now:      time.Now(),
	}
}

// message reads a message of a test, which has LF or CRLF.
func (s *suite) message(content []byte) *message.Message {
	m, err := message.Read(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		m, _ = message.Read(bytes.NewReader(nil), 0)
		s.fail("the message cannot be read: " + err.Error())
	}
	return m
}

// fail makes the test that runs fail, for the first reason that there is.
func (s *suite) fail(text string) {
	if !s.isFailed {
		s.failed, s.isFailed = text, true
	}
}

// options are those for scripts, by the settings.
func (s *suite) options(dir string) sieve.Options {
	return sieve.Options{
		More:   []*sieve.Extension{s.extension()},
		Limits: s.limits(), Protected: s.protected,
		Allowed: func(*sieve.Extension) bool { return true },
		Included: func(place, name string) (*syntax.Source, error) {
			folder := "included"
			if place == "global" {
				folder = "included-global"
			}
			return read(filepath.Join(dir, folder, name+".sieve"))
		},
	}
}

func read(file string) (*syntax.Source, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return &syntax.Source{Name: strings.TrimSuffix(filepath.Base(file), ".sieve"), Text: string(text)}, nil
}

// compile reads and compiles a script beside the test file.
func (s *suite) compile(name string) bool {
	s.problems, s.script = nil, nil
	file := filepath.Join(s.dir, name)
	source, err := read(file)
	if err != nil {
		s.problems = []string{err.Error()}
		return false
	}
	program, problems := sieve.Compile(source, s.options(filepath.Dir(filepath.Join(s.dir, "x"))))
	grammar := slices.ContainsFunc(problems, func(p syntax.Problem) bool { return p.Syntax && !p.Warning })
	for _, p := range problems {
		if !p.Warning && p.Syntax == grammar { // after errors of the grammar Pigeonhole looks for no others
			s.problems = append(s.problems, p.Text)
		}
	}
	if program == nil {
		s.problems = append(s.problems, "validation failed") // which is counted as one
		return false
	}
	s.script = program
	return true
}

// run runs the script that was compiled last.
func (s *suite) run(ctx context.Context, r *sieve.Run, more bool) bool {
	if s.script == nil {
		s.fail("no script was compiled")
		return false
	}
	in := *r.Input()
	limits := s.limits()
	in.Limits = &limits
	if more {
		in.Prior = s.result
	}
	result := s.script.Run(ctx, &in)
	s.result = &result
	s.problems = nil
	for _, w := range result.Warnings {
		s.problems = append(s.problems, w.Text)
	}
	if result.Err != nil {
		s.problems = append(s.problems, result.Err.Text)
	}
	return result.Err == nil
}
