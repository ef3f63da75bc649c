package mailbox_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/doorstep-mail/doorstep/mailbox"
)

func Example() {
	root, err := os.MkdirTemp("", "")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(root)

	store, err := mailbox.New(mailbox.Options{Create: true})
	if err != nil {
		panic(err)
	}
	defer store.Close()

	users := []string{"ann", "björn"}
	content := store.NewContent()
	defer content.Close()
	if _, err := content.Write([]byte("Subject: hello\r\n\r\nworld\r\n")); err != nil {
		fmt.Println(err) // each outcome says so too
	}
	var copies []mailbox.Copy
	for _, user := range users {
		copies = append(copies, mailbox.Copy{
			To:     mailbox.Dest{Root: root, Path: "example.org/" + user},
			Header: []byte("Delivered-To: " + user + "\r\n"),
		})
	}
	m := content.Deliver(copies...)
	outcomes := make([]error, len(users))
	m.Commit(context.Background(), func(i int, err error) { outcomes[i] = err })

	for i, user := range users {
		b, err := os.ReadFile(filepath.Join(root, "example.org", user, "new", m.Name(i)))
		fmt.Printf("%v %v %q\n", outcomes[i], err, b)
	}
	// Output:
	// <nil> <nil> "Delivered-To: ann\nSubject: hello\n\nworld\n"
	// <nil> <nil> "Delivered-To: björn\nSubject: hello\n\nworld\n"
}
