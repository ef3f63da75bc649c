package daemon

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// A devPlace is a directory with all that a server needs to be tried out.
type devPlace struct {
	dir    string
	Config string
}

// DevConfig is the configuration of --dev. It is written to a file, to be read and changed.
const DevConfig = `# Made by doorstep serve --dev. Change it and start again; remove it to have it made anew.
hostname = "localhost"
postmaster = "alice@example.org"

[[listen]]
address = "unix:lmtp.sock"
mode    = "0600"

[[listen]]
address = "tcp:127.0.0.1:2424"
lenient_8bit_localpart = true # aliases of an MTA may lead to josé@example.org

[[listen]]
address  = "tcp:127.0.0.1:2525"
protocol = "esmtp"
lenient_8bit_localpart = true

[control]
socket = "control.sock"

[admin] # metrics, and the status page: http://127.0.0.1:2480/
address    = "tcp:127.0.0.1:2480"
token_file = "" # every user of this machine may look

[state]
path = "state.db"

[store]
path = "mail/{domain}/{local}/Maildir"

[[domain]]
name       = "example.org"
aliases    = ["example.net"]
subaddress = ["+"]

[[domain]]
name = "例え.example"

[[user]]
address = "alice@example.org"
aliases = ["sales@example.org"]

[[user]]
address = "josé@example.org"

[[user]]
address = "用户@例え.example"
`

// MakeDev makes the directory and what is missing in it.
func MakeDev(dir string) (devPlace, error) {
	p := devPlace{dir: dir, Config: filepath.Join(dir, "doorstep.toml")}
	if err := os.MkdirAll(filepath.Join(dir, "mail"), 0o700); err != nil {
		return p, err
	}
	file, err := os.OpenFile(p.Config, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return p, nil
	}
	if err != nil {
		return p, err
	}
	_, err = io.WriteString(file, DevConfig)
	return p, errors.Join(err, file.Close())
}

// Explain prints what a newcomer can do next.
func (p devPlace) Explain(w io.Writer) {
	fmt.Fprintf(w, `
Doorstep is ready. Send a message from another terminal:

    doorstep send --to alice@example.org --to 用户@例え.example
    doorstep send --server tcp:127.0.0.1:2525 --protocol esmtp --to josé@example.org

and see it:

    find %[1]s/mail -type f -path '*/new/*'
    doorstep status -c %[2]s

The configuration is %[2]s; http://127.0.0.1:2480/ shows what the server does. Ctrl-C stops.

`, p.dir, p.Config)
}
