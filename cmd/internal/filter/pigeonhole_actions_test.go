package filter_test

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/doorstep-mail/doorstep/delivery/sieve"
	"github.com/doorstep-mail/doorstep/delivery/sieve/message"
)

// account is what scripts of these tests see of their surroundings: the same in both engines.
type account struct{}

func (account) HasFolder(_ context.Context, name string) bool {
	return strings.EqualFold(name, "INBOX") || name == "Archive" || name == "DeltaChat"
}

func (account) SpecialUse(context.Context, string) (string, bool) { return "", false }

func (account) Seen(context.Context, string, string) bool { return false }

func (account) Environment(string) (string, bool) { return "", false }

// ourActions writes what a result wants, an action a line.
func ourActions(r sieve.Result) string {
	var list []string
	for _, action := range r.Actions {
		switch a := action.(type) {
		case *sieve.Store:
			list = append(list, storeLine(a.Implicit, a.Folder, a.Create, a.Flags))
		case *sieve.Redirect:
			list = append(list, "redirect "+lowerDomain(a.To))
		case *sieve.Reject:
			list = append(list, "reject "+cut(oneLine(a.Reason)))
		case *sieve.Vacation:
			list = append(list, fmt.Sprintf("vacation %d subject=%s from=%s %s", a.Seconds, a.Subject, a.From,
				oneLine(a.Reason)))
		case *sieve.Notify:
			importance, subject := a.Importance, a.Message
			if importance == "" {
				importance = "2"
			}
			if subject == "" {
				subject = a.Subject
			}
			list = append(list, fmt.Sprintf("notify %s subject=%s from=%s to=%s cc=%s %s", importance, subject, a.From,
				joined(a.To), joined(a.Cc), oneLine(a.Body)))
		}
	}
	for _, m := range r.Marks {
		list = append(list, "mark "+m.Handle)
	}
	return finish(list)
}

func joined(addresses []message.Address) string {
	var list []string
	for _, a := range addresses {
		list = append(list, a.Text)
	}
	return strings.Join(list, ",")
}

// finish sorts actions, as their order has no effect, and says of none of them that the message is discarded.
func finish(list []string) string {
	if !slices.ContainsFunc(list, func(s string) bool { return !strings.HasPrefix(s, "mark ") }) {
		list = append(list, "discard")
	}
	slices.Sort(list)
	return strings.Join(list, "\n")
}

func storeLine(implicit bool, folder string, create bool, flags []string) string {
	line := "store "
	if implicit {
		line = "keep "
	}
	if folder == "" || strings.EqualFold(folder, "INBOX") {
		folder = "INBOX"
	}
	line += cut(folder)
	if create {
		line += " create"
	}
	if len(flags) > 0 {
		list := strings.Fields(strings.ToLower(strings.Join(flags, " ")))
		slices.Sort(list)
		line += fmt.Sprint(" ", slices.Compact(list))
	}
	return line
}

// theirActions reads what sieve-test prints.
func theirActions(text string) string {
	var r theirResult
	for line := range strings.Lines(strings.ReplaceAll(text, "\r\n", "\n")) {
		r.line(strings.TrimSuffix(line, "\n"))
	}
	r.flush()
	return finish(r.list)
}

// theirResult is what was read so far of a result.
type theirResult struct {
	list     []string
	implicit bool
	verb     string            // of the action that is read
	value    string            // what its first line says
	fields   map[string]string // what the lines after it say
	text     []string          // a text of it
	inText   string            // what ends the text; empty outside of one
}

func (r *theirResult) line(line string) {
	switch {
	case r.inText != "" && line == r.inText:
		r.inText = ""
	case r.inText != "":
		r.text = append(r.text, line)
	case line == "START MESSAGE":
		r.inText = "END MESSAGE"
	case line == "--" && r.verb == "notify":
		r.inText = "--"
	case line == "Implicit keep:":
		r.flush()
		r.implicit = true
	case strings.HasPrefix(line, " * "):
		r.flush()
		r.begin(line[3:])
	case strings.HasPrefix(line, "        + add IMAP flags:"):
		r.fields["flags"] = strings.TrimPrefix(line, "        + add IMAP flags:")
	case strings.HasPrefix(line, "        + create mailbox"):
		r.fields["create"] = "yes"
	case strings.HasPrefix(line, "    => "):
		name, value, _ := strings.Cut(line[len("    => "):], ": ")
		r.fields[strings.TrimSpace(name)] = value
	case strings.HasPrefix(line, "       + To: "):
		r.fields["to"] += "," + line[len("       + To: "):]
	case strings.HasPrefix(line, "       + Cc: "):
		r.fields["cc"] += "," + line[len("       + Cc: "):]
	}
}

// begin reads the first line of an action.
func (r *theirResult) begin(line string) {
	r.fields, r.text = map[string]string{}, nil
	for _, known := range []struct{ begins, verb string }{
		{"store message in folder: ", "store"}, {"redirect message to: ", "redirect"},
		{"reject message with reason: ", "reject"}, {"send vacation message:", "vacation"},
		{"send notification with method", "notify"}, {"track duplicate with handle: ", "mark"},
		{"track last duplicate with handle: ", "mark"}, {"track duplicate", "mark"}, {"track last duplicate", "mark"},
		{"discard", "discard"}, {"keep", "keep"},
	} {
		if strings.HasPrefix(line, known.begins) {
			r.verb, r.value = known.verb, line[len(known.begins):]
			return
		}
	}
	r.verb, r.value = "unknown", line
}

// flush notes the action that was read.
func (r *theirResult) flush() {
	list := func(name string) string { return strings.TrimPrefix(r.fields[name], ",") }
	switch r.verb {
	case "", "discard":
	case "store", "keep":
		r.list = append(r.list, storeLine(r.implicit, r.value, r.fields["create"] != "", strings.Fields(r.fields["flags"])))
	case "redirect":
		r.list = append(r.list, "redirect "+lowerDomain(strings.Trim(r.value, "<>")))
	case "reject": // in which it prints controls so
		r.list = append(r.list, "reject "+strings.TrimRight(strings.ReplaceAll(r.value, "??", "|"), "|"))
	case "vacation":
		r.list = append(r.list, fmt.Sprintf("vacation %s subject=%s from=%s %s", r.fields["seconds"],
			strings.TrimSpace(r.fields["subject"]), r.fields["from"], oneLine(strings.Join(r.text, "\n"))))
	case "notify":
		r.list = append(r.list, fmt.Sprintf("notify %s subject=%s from=%s to=%s cc=%s %s", r.fields["importance"],
			r.fields["subject"], r.fields["from"], list("to"), list("cc"), oneLine(strings.Join(r.text, "\n"))))
	default:
		r.list = append(r.list, r.verb+" "+r.value)
	}
	r.verb = ""
}

// lowerDomain writes an address with its domain in lower case, as that has no case.
func lowerDomain(address string) string {
	at := strings.LastIndexByte(address, '@')
	return address[:at+1] + strings.ToLower(address[at+1:])
}

// oneLine writes a text in one line, without regard to which line ends it has.
func oneLine(s string) string {
	return strings.TrimRight(strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\n", "|"), "|")
}

// cut shortens what sieve-test shortens.
func cut(s string) string {
	if len(s) > 100 {
		return s[:100]
	}
	return s
}
