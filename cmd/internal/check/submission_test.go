package check_test

import (
	"bufio"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// An mta is a server on a socket that answers as a row says. Messages are no part of it.
type mta struct {
	greeting string
	offers   []string
	auth     string // what it says to AUTH
}

// serve answers on a Unix socket until the test ends.
func (m mta) serve(t *testing.T, path string) {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go m.talk(t, conn)
		}
	}()
}

func (m mta) talk(t *testing.T, conn net.Conn) {
	defer conn.Close()
	fmt.Fprintf(conn, "%s\r\n", m.greeting)
	lines := bufio.NewScanner(conn)
	for lines.Scan() {
		verb, _, _ := strings.Cut(lines.Text(), " ")
		if strings.HasPrefix(verb, "\x16") { // TLS (RFC 8446 §5.1)
			return
		}
		switch verb {
		case "EHLO":
			for _, offer := range m.offers {
				fmt.Fprintf(conn, "250-%s\r\n", offer)
			}
			fmt.Fprint(conn, "250 HELP\r\n")
		case "AUTH":
			fmt.Fprintf(conn, "%s\r\n", m.auth)
		case "QUIT":
			fmt.Fprint(conn, "221 bye\r\n")
			return
		default:
			t.Errorf("check says %q", lines.Text())
			fmt.Fprint(conn, "500 what?\r\n")
		}
	}
}

// TestConnectToSubmission: the server that takes reports is asked for a session, and what is wrong with it is a warning
// at the key that is to blame.
func TestConnectToSubmission(t *testing.T) {
	whole := []string{"PIPELINING", "SIZE 104857600", "8BITMIME", "SMTPUTF8", "DSN", "AUTH PLAIN"}
	without := func(keyword string) []string {
		return slices.DeleteFunc(slices.Clone(whole), func(o string) bool { return strings.HasPrefix(o, keyword) })
	}
	const login = "user = \"doorstep\"\npassword_file = \"secret\"\n"
	for _, tt := range []struct {
		name, more string
		mta        *mta
		want       []string
	}{
		{"all is well", login, &mta{offers: whole, auth: "235 welcome"},
			[]string{"submission server unix:DIR/mta: takes mail, and offers SMTPUTF8, 8BITMIME, DSN, SIZE 104857600\n"}},
		{"no socket", "", nil,
			[]string{"doorstep.toml:16:10: submission.server: warning: ", "no such file or directory (is it running there"}},
		{"it refuses everybody", "", &mta{greeting: "554 no"},
			[]string{"submission.server: warning: greeting: server replied 554 no (it is there, and takes no mail from here"}},
		{"a wrong password", login, &mta{offers: whole, auth: "535 5.7.8 no"},
			[]string{"doorstep.toml:17:8: submission.user: warning: AUTH PLAIN: server replied 535 5.7.8 no (are user, and"}},
		{"no login", login, &mta{offers: without("AUTH")},
			[]string{"doorstep.toml:17:8: submission.user: warning: ", "it offers no mechanism that may be used"}},
		{"no password file", "user = \"doorstep\"\npassword_file = \"lost\"\n", &mta{offers: whole},
			[]string{"submission.password_file: ", "DIR/lost: no such file"}},
		{"no SMTPUTF8", "", &mta{offers: without("SMTPUTF8")},
			[]string{"submission.server: warning: it does not offer SMTPUTF8: a sender with an internationalized address " +
				"gets no report (smtputf8_enable", "takes mail, and offers 8BITMIME, DSN, SIZE"}},
		{"no SMTPUTF8, and accounts that need it", "[[user]]\naddress = \"用户@example.org\"\nhome = \"homes/bob\"\n",
			&mta{offers: without("SMTPUTF8")}, []string{"gets no report, and there are such accounts here (smtputf8_enable"}},
		{"SMTPUTF8 alone", "", &mta{offers: without("8BITMIME")},
			[]string{"submission.server: warning: it offers SMTPUTF8 without 8BITMIME"}},
		{"no DSN", "", &mta{offers: without("DSN")}, []string{"submission.server: warning: it does not offer DSN"}},
		{"small messages", "", &mta{offers: append(without("SIZE"), "SIZE 1000")},
			[]string{"it takes messages of 1000 octets, and limits.message_size is 52428800 (message_size_limit"}},
		{"messages of any size", "", &mta{offers: append(without("SIZE"), "SIZE 0")},
			[]string{"takes mail, and offers SMTPUTF8, 8BITMIME, DSN, SIZE 0\n"}},
		{"nothing", "", &mta{}, []string{"takes mail, and offers no extension that matters\n"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := write(t, map[string]string{
				"secret": "sesame\n", "doorstep.toml": strings.Replace(configuration, "[quota]\n",
					"[submission]\noutbox = \"outbox\"\nserver = \"unix:mta\"\n", 1) + tt.more,
			})
			if tt.mta != nil {
				if tt.mta.greeting == "" {
					tt.mta.greeting = "220 hello"
				}
				tt.mta.serve(t, filepath.Join(dir, "mta"))
			}
			got := run(t, dir)
			for _, want := range tt.want {
				if !strings.Contains(got, want) {
					t.Errorf("%q is missing in\n%s", want, got)
				}
			}
			if strings.Contains(got, "sesame") {
				t.Errorf("the password is shown:\n%s", got)
			}
			if tt.name == "all is well" && strings.Contains(got, "warning") {
				t.Errorf("a warning:\n%s", got)
			}
		})
	}
	// By TCP: TLS that is demanded, and the server does not have.
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go mta{greeting: "220 hello", offers: whole}.talk(t, conn)
		}
	}()
	for _, tt := range [][2]string{
		{"starttls", "submission.tls: warning: "}, {"implicit", "submission.tls: warning: "},
	} {
		dir := write(t, map[string]string{"doorstep.toml": strings.Replace(configuration, "[quota]\n",
			"[submission]\noutbox = \"outbox\"\nserver = \"tcp:"+l.Addr().String()+"\"\ntls = \""+tt[0]+"\"\n", 1)})
		if got := run(t, dir); !strings.Contains(got, tt[1]) {
			t.Errorf("tls = %s: %q is missing in\n%s", tt[0], tt[1], got)
		}
	}
}
