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
	m := store.NewMessage()
	for _, user := range users {
		m.Add(mailbox.Dest{Root: root, Path: "example.org/" + user}, []byte("Delivered-To: "+user+"\r\n"))
	}
	if _, err := m.Write([]byte("Subject: hello\r\n\r\nworld\r\n")); err != nil {
		fmt.Println(err) // no copy can take it; each outcome says why
	}
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
