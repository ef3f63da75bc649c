package lmtp_test

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"net"
	"net/textproto"

	"github.com/doorstep-mail/doorstep/lmtp"
)

// A printer is a Handler that shows what it is given, and has one mailbox that is full.
type printer struct{}

func (printer) Mail(_ context.Context, s *lmtp.Session, env *lmtp.Envelope) (lmtp.Transaction, error) {
	fmt.Println("mail from", env.From, "by", s.Hello)
	return &letter{}, nil
}

// A letter is one message.
type letter struct {
	to      []string
	content bytes.Buffer
}

func (l *letter) Rcpt(_ context.Context, r *lmtp.Recipient) error {
	if r.To.Domain != "dst.example" {
		return &lmtp.Error{Code: 550, Enhanced: "5.1.2", Text: "no such domain here"}
	}
	l.to = append(l.to, r.To.Local)
	return nil
}

func (l *letter) Write(p []byte) (int, error) { return l.content.Write(p) }

func (l *letter) Commit(context.Context) <-chan error {
	outcomes := make(chan error, len(l.to))
	defer close(outcomes)
	for _, local := range l.to {
		if local == "full" {
			outcomes <- &lmtp.Error{Code: 452, Enhanced: "4.2.2", Text: "mailbox full"}
			continue
		}
		fmt.Printf("%s gets %q\n", local, l.content.String())
		outcomes <- nil
	}
	return outcomes
}

func (l *letter) Abort(why error) { fmt.Println("dropped:", why) }

// A Server in a program of its own would be given a listener:
//
//	l, err := net.Listen("unix", "/run/lmtp.sock")
//	…
//	err = server.Serve(l)
func Example() {
	server := &lmtp.Server{Handler: printer{}, Hostname: "mx.dst.example"}
	near, far := net.Pipe()
	go server.ServeConn(far)

	client := textproto.NewConn(near)
	for _, step := range []struct {
		say     string
		replies int
	}{
		{"", 1},
		{"LHLO client.example", 1},
		{"MAIL FROM:<a@src.example>", 1},
		{"RCPT TO:<full@dst.example>", 1},
		{"RCPT TO:<b@elsewhere.example>", 1},
		{"RCPT TO:<alice@dst.example>", 1},
		{"DATA", 1},
		{"Subject: hello\r\n\r\nhi\r\n.", 2}, // one for each recipient that was accepted
		{"QUIT", 1},
	} {
		if step.say != "" {
			if err := client.PrintfLine("%s", step.say); err != nil {
				log.Fatal(err)
			}
		}
		for range step.replies {
			code, _, err := client.ReadResponse(0)
			if err != nil {
				log.Fatal(err)
			}
			fmt.Println(code)
		}
	}
	if err := server.Shutdown(context.Background()); err != nil {
		log.Fatal(err)
	}
	// Output:
	// 220
	// 250
	// mail from a@src.example by client.example
	// 250
	// 250
	// 550
	// 250
	// 354
	// alice gets "Subject: hello\r\n\r\nhi\r\n"
	// 452
	// 250
	// 221
}
