package svtest

import (
	"context"
	"errors"
	"time"

	"github.com/doorstep-mail/doorstep/delivery/sieve"
)

// endless is how long a program may run that Pigeonhole's settings would let run for ever.
const endless = 10 * time.Minute

// Run implements sieve.Runner, by the settings of Pigeonhole's extensions. Which programs there are is no matter of a
// test script: its setting of the directory says only that there are some.
func (s *suite) Run(ctx context.Context, j sieve.Job) (sieve.Answer, error) {
	setting := "sieve_" + j.Command
	if s.programs == nil || s.settings[setting+"_bin_dir"] == "" {
		return sieve.Answer{}, &sieve.Hinted{
			Err:  errors.New("there are none here"),
			Hint: "set " + setting + "_bin_dir, and run the tests with --programs DIRECTORY",
		}
	}
	s.programs.Timeout = s.duration(setting + "_exec_timeout")
	if s.settings[setting+"_exec_timeout"] == "0" {
		s.programs.Timeout = endless
	}
	s.programs.LF = s.settings[setting+"_input_eol"] == "lf"
	return s.programs.Run(ctx, j)
}

// pipe hands the message to a program, and reports whether it took it.
func (s *suite) pipe(in *sieve.Input, a *sieve.Pipe) bool {
	answer, err := s.Run(context.Background(), a.Job(in.Message, in.Envelope))
	if err == nil && answer.Code == 0 {
		return true
	}
	if err != nil && !errors.Is(err, sieve.ErrNoProgram) {
		s.problems = append(s.problems, err.Error()) // which Pigeonhole logs besides
	}
	s.problems = append(s.problems, "failed to pipe message to program '"+a.Program+"'")
	return false
}
