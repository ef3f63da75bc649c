package svtest

import (
	"context"
	"strconv"
	"strings"

	"github.com/doorstep-mail/doorstep/delivery/sieve"
	"github.com/doorstep-mail/doorstep/delivery/sieve/syntax"
)

// extension has the commands and tests of the suite.
func (s *suite) extension() *sieve.Extension {
	text := []sieve.Param{{Name: "text", Kind: syntax.String}}
	keys := []sieve.Param{{Name: "key list", Kind: syntax.List}}
	nth := []sieve.Tag{{Name: "index", Kind: syntax.Number}}
	return &sieve.Extension{
		Name: "vnd.dovecot.testsuite",
		Namespaces: map[string]func(*sieve.Compiler, syntax.Span, string) sieve.Text{
			"tst": func(*sieve.Compiler, syntax.Span, string) sieve.Text { return sieve.Constant(s.dir) },
		},
		Definitions: []*sieve.Definition{
			{Name: "test", Params: text, Block: true, Command: s.test},
			{Name: "test_fail", Params: text, Command: s.command(func(r *sieve.Run, args []string) {
				s.fail(args[0])
				r.Halt()
			})},
			{Name: "test_set", Command: s.command(s.set), Params: []sieve.Param{
				{Name: "name", Kind: syntax.String}, {Name: "value", Kind: syntax.String}}},
			{Name: "test_script_compile", Params: text, Test: s.check(func(_ *sieve.Run, args []string) bool {
				return s.compile(args[0])
			})},
			{Name: "test_script_run", Tags: []sieve.Tag{{Name: "append_result"}}, Test: s.scriptRun},
			{Name: "test_error", Params: keys, Tags: nth, Compares: true, Test: s.compare(s.errorTexts)},
			{Name: "test_result_action", Params: keys, Tags: nth, Compares: true, Test: s.compare(s.verbs)},
			{Name: "test_result_execute", Test: s.check(func(r *sieve.Run, _ []string) bool { return s.execute(r) })},
			{Name: "test_result_reset", Command: s.command(func(r *sieve.Run, _ []string) { s.reset(r) })},
			{Name: "test_result_print", Command: s.command(func(*sieve.Run, []string) {})},
			{Name: "test_message", Command: s.takeMessage, Test: s.hasMessage,
				Tags:   []sieve.Tag{{Name: "smtp", Group: "place"}, {Name: "folder", Group: "place", Kind: syntax.String}},
				Params: []sieve.Param{{Name: "index", Kind: syntax.Number}}},
			{Name: "test_mailbox_create", Params: text, Command: s.command(func(_ *sieve.Run, args []string) {
				s.store.create(args[0])
			})},
			{Name: "test_config_set", Command: s.command(s.configure), Params: []sieve.Param{
				{Name: "name", Kind: syntax.String}, {Name: "value", Kind: syntax.String}}},
			{Name: "test_config_unset", Params: text, Command: s.command(func(r *sieve.Run, args []string) {
				delete(s.settings, args[0])
				s.apply(r)
			})},
			{Name: "test_config_reload", Tags: []sieve.Tag{{Name: "extension", Kind: syntax.String}},
				Command: s.command(func(*sieve.Run, []string) {})},
			{Name: "test_binary_save", Params: text, Command: s.command(func(*sieve.Run, []string) {})},
			{Name: "test_multiscript", Params: []sieve.Param{{Name: "scripts", Kind: syntax.List}}, Test: s.multiscript},
			{Name: "test_binary_load", Params: text, Command: s.command(func(*sieve.Run, []string) {})},
		},
	}
}

// command is one whose arguments are strings.
func (s *suite) command(do func(r *sieve.Run, args []string)) func(*sieve.Compiler, *sieve.Call) sieve.Step {
	return func(c *sieve.Compiler, call *sieve.Call) sieve.Step {
		args := texts(c, call)
		return func(r *sieve.Run) { do(r, args.Get(r)) }
	}
}

// check is a test whose arguments are strings.
func (s *suite) check(do func(r *sieve.Run, args []string) bool) func(*sieve.Compiler, *sieve.Call) sieve.Test {
	return func(c *sieve.Compiler, call *sieve.Call) sieve.Test {
		args := texts(c, call)
		return func(r *sieve.Run) bool { return do(r, args.Get(r)) }
	}
}

func texts(c *sieve.Compiler, call *sieve.Call) (list sieve.List) {
	for _, a := range call.Args {
		list = append(list, c.Text(a))
	}
	return list
}

// compare is a test that looks at the n-th of some texts, or at all.
func (s *suite) compare(texts func(*sieve.Run) []string) func(*sieve.Compiler, *sieve.Call) sieve.Test {
	return func(c *sieve.Compiler, call *sieve.Call) sieve.Test {
		m := c.Matcher(call, call.Args[0])
		if m == nil {
			return nil
		}
		nth := call.Tag("index")
		return func(r *sieve.Run) bool {
			search := m.Search()
			for i, text := range texts(r) {
				if (nth == nil || uint64(i+1) == nth.Number) && search.Try(r, text) {
					return true
				}
			}
			return search.End(r)
		}
	}
}

// test runs a block, which is one test.
func (s *suite) test(c *sieve.Compiler, call *sieve.Call) sieve.Step {
	name, block := c.Text(call.Args[0]), call.Block
	source := *s.current
	line, _ := source.Position(call.Command.Span.Start)
	file := s.current.Name
	return func(r *sieve.Run) {
		s.isFailed = false
		s.reset(r)
		block(r)
		if err := r.Resume(); err != nil {
			s.fail(err.Text)
		}
		b := Block{File: file, Line: line, Test: name.Get(r), OK: !s.isFailed}
		if s.isFailed {
			b.Text = s.failed
		}
		s.blocks = append(s.blocks, b)
	}
}

// set sets what the tests look at.
func (s *suite) set(r *sieve.Run, args []string) {
	in := r.Input()
	switch args[0] {
	case "message":
		in.Message, in.Flags = s.message([]byte(args[1])), nil
		s.setEnvelope(in)
		r.Begin()
	case "envelope.from", "envelope.sender":
		in.Envelope.From = path(args[1])
	case "envelope.to", "envelope.recipient":
		in.Envelope.To = path(args[1])
	case "envelope.orig_to", "envelope.orig_recipient":
		in.Envelope.OrigTo = path(args[1])
	case "envelope.auth":
		in.Envelope.Auth = args[1]
	case "envelope.notify":
		in.Envelope.Notify = args[1]
	case "envelope.ret":
		in.Envelope.Ret = args[1]
	case "envelope.envid":
		in.Envelope.EnvID = args[1]
	case "envelope.orcpt":
		in.Envelope.ORCPT = args[1]
	default:
		r.Fail("test_set knows no '%s'", args[0])
	}
}

func (s *suite) scriptRun(_ *sieve.Compiler, call *sieve.Call) sieve.Test {
	more := call.Has("append_result")
	return func(r *sieve.Run) bool { return s.run(context.Background(), r, more) }
}

func (s *suite) errorTexts(*sieve.Run) []string { return s.problems }

// verbs are the actions of the result. The implicit keep is none.
func (s *suite) verbs(r *sieve.Run) (list []string) {
	for _, a := range s.pending(r).Actions {
		if store, ok := a.(*sieve.Store); !ok || !store.Implicit {
			list = append(list, a.Verb())
		}
	}
	return list
}

// pending is the result that would be executed: of the script that ran last, or of the test itself.
func (s *suite) pending(r *sieve.Run) sieve.Result {
	if s.result != nil {
		return *s.result
	}
	return r.Result()
}

func (s *suite) reset(r *sieve.Run) {
	s.result, s.problems = nil, nil
	s.store.sent = nil
	r.Begin()
}

// takeMessage makes a message that was sent or stored the one that the tests look at.
func (s *suite) takeMessage(c *sieve.Compiler, call *sieve.Call) sieve.Step {
	take := s.hasMessage(c, call)
	return func(r *sieve.Run) {
		if !take(r) {
			s.fail("there is no message " + strconv.FormatUint(call.Args[0].Number, 10))
			r.Halt()
		}
	}
}

func (s *suite) hasMessage(c *sieve.Compiler, call *sieve.Call) sieve.Test {
	n, smtp := call.Args[0].Number, call.Has("smtp")
	var folder sieve.Text
	if a := call.Tag("folder"); a != nil {
		folder = c.Text(a)
	}
	return func(r *sieve.Run) bool {
		list := s.store.sent
		if !smtp {
			list = s.store.folders[folderKey(folder.Get(r))]
		}
		if n >= uint64(len(list)) {
			return false
		}
		in, m := r.Input(), list[n]
		in.Message, in.Flags = s.message(m.content), m.flags
		if smtp {
			in.Envelope.From, in.Envelope.To = m.from, m.to
		}
		r.Begin()
		return true
	}
}

// path reads an address of the envelope, which may stand in angle brackets, with a source route. What is no path is one
// that matches nothing.
func path(text string) string {
	if inner, ok := strings.CutPrefix(text, "<"); ok {
		inner, ok = strings.CutSuffix(inner, ">")
		if !ok {
			return "@"
		}
		text = inner
	}
	if strings.HasPrefix(text, "@") {
		route, rest, ok := strings.Cut(text, ":")
		for hop := range strings.SplitSeq(route, ",") {
			domain, found := strings.CutPrefix(hop, "@")
			ok = ok && found && domain != "" && domain[0] != '.' && !strings.Contains(domain, "..") &&
				!strings.Contains(domain, "@")
		}
		if !ok {
			return "@"
		}
		return rest
	}
	return text
}

// setEnvelope makes the first sender and recipient of the header those of the envelope, as the suite has it.
func (s *suite) setEnvelope(in *sieve.Input) {
	in.Envelope = sieve.Envelope{From: "sender@example.com", To: "recipient@example.org"}
	for _, f := range in.Message.Header {
		list := f.Addresses()
		switch {
		case len(list) == 0 || !list[0].Valid:
		case f.Key() == "from":
			in.Envelope.From = list[0].Text
		case f.Key() == "to":
			in.Envelope.To = list[0].Text
		}
	}
}

// multiscript runs scripts one after the other, as long as the message is kept, and does what they want.
func (s *suite) multiscript(c *sieve.Compiler, call *sieve.Call) sieve.Test {
	names := c.List(call.Args[0])
	return func(r *sieve.Run) bool {
		ok := true
		s.result = nil
		for i, name := range names.Get(r) {
			ok = ok && s.compile(name) && s.run(context.Background(), r, i > 0)
			if !ok || !s.result.Kept() {
				break
			}
		}
		return ok && s.execute(r)
	}
}
