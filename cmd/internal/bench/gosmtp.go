package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/emersion/go-maildir"
	"github.com/emersion/go-smtp"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
)

// A server such as one writes in an afternoon: the protocol by go-smtp, the mailboxes by go-maildir. As shipped,
// go-maildir syncs nothing; a variant has the two syncs added that make it durable.

const goSMTPProgram = "bench-gosmtp"

// goSMTP starts it.
func goSMTP(synced bool) func(site) (subject, error) {
	return func(s site) (subject, error) {
		if err := s.makeMaildirs(); err != nil {
			return nil, err
		}
		socket := filepath.Join(peer.MailDir(s), "lmtp")
		part := asPart(context.Background(), goSMTPProgram, socket, s.mail(), strconv.FormatBool(synced))
		return startServer(s, socket, part)
	}
}

// goSMTPMain is the program: SOCKET MAILDIRS SYNCED.
func goSMTPMain(args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("%s takes 3 arguments", goSMTPProgram)
	}
	listener, err := net.Listen("unix", args[0])
	if err != nil {
		return err
	}
	b := backend{mail: args[1], synced: args[2] == "true"}
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) {
		return &session{backend: b}, nil
	}))
	server.LMTP = true
	server.Domain = "mx." + domain
	server.MaxMessageBytes = 64 * mib
	server.MaxLineLength = 0 // no bound: it would be checked octet by octet
	return server.Serve(listener)
}

type backend struct {
	mail   string
	synced bool
}

// A session delivers to each recipient in turn.
type session struct {
	backend
	from string
	to   []string // Maildirs
}

func (s *session) Reset()        { s.to = nil }
func (s *session) Logout() error { return nil }

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	s.from = from
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	local, _, _ := strings.Cut(to, "@")
	if n, ok := strings.CutSuffix(local, "u"); ok {
		number, err := strconv.Atoi(n)
		if err != nil {
			return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such mailbox"}
		}
		local = fmt.Sprintf("box%03d", number%mailboxes)
	}
	s.to = append(s.to, filepath.Join(s.mail, local))
	return nil
}

// Data keeps the content in memory for more than one recipient only.
func (s *session) Data(r io.Reader) error {
	if len(s.to) == 1 {
		return s.store(s.to[0], r)
	}
	content, err := io.ReadAll(r)
	for _, dir := range s.to {
		if err == nil {
			err = s.store(dir, bytes.NewReader(content))
		}
	}
	return err
}

func (s *session) store(dir string, content io.Reader) error {
	header := "Return-Path: <" + s.from + ">\r\nReceived: by mx." + domain + " with LMTP\r\n"
	content = io.MultiReader(strings.NewReader(header), content)
	if s.synced {
		return storeSynced(dir, content)
	}
	d, err := maildir.NewDelivery(dir)
	if err != nil {
		return err
	}
	if _, err := io.Copy(d, content); err != nil {
		return err
	}
	return d.Close()
}

// storeSynced does what go-maildir's Delivery does, and syncs: its file cannot be reached from outside.
func storeSynced(dir string, content io.Reader) error {
	file, err := os.CreateTemp(filepath.Join(dir, "tmp"), "synced.*")
	if err != nil {
		return err
	}
	_, err = io.Copy(file, content)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	to := filepath.Join(dir, "new")
	if err := os.Rename(file.Name(), filepath.Join(to, filepath.Base(file.Name()))); err != nil {
		return err
	}
	return syncDir(to)
}
