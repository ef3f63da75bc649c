package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/doorstep-mail/doorstep/config/hint"
	"github.com/doorstep-mail/doorstep/config/internal/table"
	"github.com/doorstep-mail/doorstep/mailbox"
)

// A Store is the [store] table: where mailboxes are and how they are written.
type Store struct {
	// Path is the template of a Maildir's path, with {domain}, {local} or {home}. It is absolute, or begins with {home}.
	Path       string
	Durability mailbox.Durability
	// CRLF stores line ends as received, not as LF.
	CRLF bool
	// Folders is the encoding of folders' names.
	Folders mailbox.FolderEncoding
	// Create makes a missing Maildir at its first delivery.
	Create bool
	// SingleCopy stores a message for several mailboxes as one file with several names.
	SingleCopy bool
	// OriginalTo names the recipient that the sender named in X-Original-To too.
	OriginalTo bool

	// User and Group are the user and group that the server runs as, names or numbers. Without User it is the one who
	// starts the server, without Group the group of User.
	User, Group string
	// Owners delivers to each account as its owner, whose numbers are FirstUID and FirstGID or above.
	Owners             bool
	FirstUID, FirstGID int
}

var storeSection = table.Section[Store]{
	Name: "store",
	Doc:  "Where mailboxes are, and how messages are written.",
	Keys: []table.Key[Store]{
		{Name: "path", Default: `"/srv/mail/{domain}/{local}/Maildir"`,
			Kind: table.Text("a path with {domain}, {local} or {home}", setStorePath),
			Doc: "The Maildir of an account. {domain} stands for its domain in A-labels, {local} for its local part in " +
				"UTF-8, {home} for its home directory."},
		{Name: "durability", Default: `"group"`,
			Kind: table.Choice(func(s *Store) *mailbox.Durability { return &s.Durability },
				table.Option[mailbox.Durability]{Word: "group", Means: mailbox.Group},
				table.Option[mailbox.Durability]{Word: "each", Means: mailbox.Each},
				table.Option[mailbox.Durability]{Word: "none", Means: mailbox.None}),
			Doc: "A message is acknowledged when it is on disk: group shares the syncs of concurrent deliveries, each " +
				"syncs one after the other. none leaves it to the kernel and loses mail in a power cut."},
		{Name: "newline", Default: `"lf"`,
			Kind: table.Either(func(s *Store) *bool { return &s.CRLF }, "lf", "crlf"),
			Doc:  "Line ends on disk: lf as Unix programs expect, or crlf as received."},
		{Name: "folders", Default: `"utf-7"`,
			Kind: table.Choice(func(s *Store) *mailbox.FolderEncoding { return &s.Folders },
				table.Option[mailbox.FolderEncoding]{Word: "utf-7", Means: mailbox.FolderUTF7},
				table.Option[mailbox.FolderEncoding]{Word: "utf-8", Means: mailbox.FolderUTF8}),
			Doc: "How the names of folders are written on disk: utf-7 is the modified UTF-7 of Dovecot, utf-8 is for " +
				"Courier, and for Dovecot with mailbox_list_utf8."},
		{Name: "create", Kind: table.Toggle(func(s *Store) *bool { return &s.Create }), Default: "true",
			Doc: "Make a missing Maildir at its first message."},
		{Name: "single_copy", Kind: table.Toggle(func(s *Store) *bool { return &s.SingleCopy }), Default: "false",
			Doc: "Store a message for several mailboxes of one owner and file system as one file with hard links. Such a " +
				"message names no recipient in Delivered-To and Received, since all would read it."},
		{Name: "original_to", Kind: table.Toggle(func(s *Store) *bool { return &s.OriginalTo }), Default: "false",
			Doc: "Add X-Original-To with the address that the message was sent to before any alias, where the client says " +
				"it (ORCPT, as Postfix does where DSN is offered). Original-Recipient has it in any case."},
		{Name: "user", Kind: table.Text("a user", setStoreUser), Example: `"vmail"`, Restart: true,
			Doc: "The user that the server runs as. Root opens sockets and reads keys and passwords, and then becomes this " +
				"user for good, before it takes mail; no other user but root can start it then. See privileges.md. Default: " +
				"the user who starts it."},
		{Name: "group", Example: `"vmail"`, Restart: true,
			Kind: table.Parsed("a group", parsePrincipal, func(s *Store) *string { return &s.Group }),
			Doc:  "The group that the server runs with. Default: that of user."},
		{Name: "owners", Kind: table.Toggle(func(s *Store) *bool { return &s.Owners }), Default: "false", Restart: true,
			Doc: "Deliver to each account as its own user and group. The server then keeps CAP_SETUID and CAP_SETGID, from " +
				"root or systemd's AmbientCapabilities. With false, mail for accounts of other users is deferred. See " +
				"privileges.md."},
		{Name: "first_valid_uid", Default: "500", Restart: true,
			Kind: table.Count(1, maxID, func(s *Store) *int { return &s.FirstUID }),
			Doc:  "With owners: the lowest user that a mailbox may belong to. Mail for accounts of others is deferred."},
		{Name: "first_valid_gid", Default: "1", Restart: true,
			Kind: table.Count(1, maxID, func(s *Store) *int { return &s.FirstGID }),
			Doc:  "With owners: the lowest group that a mailbox may belong to."},
	},
}

// placeholders are what the template of a path can hold.
var placeholders = []string{"domain", "local", "home"}

func setStorePath(s *Store, v *table.Value, template string) error {
	if template == "" {
		return hint.New("the path is empty", "")
	}
	names, err := templateNames(template)
	if err != nil {
		return err
	}
	if !slices.Contains(names, "local") && !slices.Contains(names, "home") {
		return hint.New("would give all accounts one Maildir", "it must contain {local} or {home}")
	}
	if strings.LastIndex(template, "{home}") > 0 {
		return hint.New("{home} is an absolute path and can only begin the path", "")
	}
	if strings.HasPrefix(template, "{home}") {
		s.Path = filepath.Clean(template)
		return nil
	}
	path, err := v.Absolute(template)
	if err == nil {
		s.Path = path
	}
	return err
}

// templateNames returns the placeholders in a template.
func templateNames(template string) ([]string, error) {
	var names []string
	for rest := template; ; {
		before, after, found := strings.Cut(rest, "{")
		if strings.Contains(before, "}") {
			return nil, hint.New("} without {", "")
		}
		if !found {
			break
		}
		name, end, closed := strings.Cut(after, "}")
		if !closed {
			return nil, hint.New("{ without }", "")
		}
		if !slices.Contains(placeholders, name) {
			suggestion := "{domain}, {local} or {home}"
			if meant := hint.Closest(name, placeholders); meant != "" {
				suggestion = "did you mean {" + meant + "}?"
			}
			return nil, hint.New("unknown placeholder "+hint.Quote("{"+name+"}"), suggestion)
		}
		names = append(names, name)
		rest = end
	}
	// A placeholder must not vanish when the path is cleaned.
	if _, after, found := strings.Cut(template, "{"); found && slices.Contains(strings.Split(after, "/"), "..") {
		return nil, hint.New(`".." after a placeholder`, "")
	}
	return names, nil
}

// Root returns the directory that all mailboxes are in: Path up to its first placeholder. It is "" if Path begins with
// {home}.
func (s Store) Root() string {
	fixed, _, _ := strings.Cut(s.Path, "{")
	if fixed == "" {
		return ""
	}
	// The text before the placeholder in the same component is part of a name.
	return filepath.Clean(fixed[:strings.LastIndexByte(fixed, '/')+1])
}

// needsHome reports whether an account without a home has no mailbox.
func (s Store) needsHome() bool { return strings.Contains(s.Path, "{home}") }

// maildir fills in the template: the domain is an A-label, local a name of one component.
func (s Store) maildir(domain, local, home string) string {
	return strings.NewReplacer("{domain}", domain, "{local}", local, "{home}", home).Replace(s.Path)
}

func setStoreUser(s *Store, _ *table.Value, name string) error {
	name, err := parsePrincipal(name)
	s.User = name
	if name == "root" || name == "0" {
		return hint.New("root must not handle mail", "name a user who has nothing but mail")
	}
	return err
}

// check checks what the keys of [store] say of one another.
func (s Store) check(t table.Table) {
	if v := t.Value("group"); v != nil && s.User == "" {
		v.AddKey("is for store.user, which is missing", "write user = "+hint.Quote(s.Group))
	}
}

// IDs returns the numbers of the owner of u; zeros if it has none. The error says that this machine does not know the
// user, or that the user must not own a mailbox.
func (s Store) IDs(u User) (uid, gid int, err error) {
	if u.Owner == "" {
		return u.UID, u.GID, nil
	}
	uid, gid, err = PrimaryIDs(u.Owner)
	if u.GID != 0 {
		gid = u.GID
	}
	switch {
	case err != nil:
		return 0, 0, err
	case uid < s.FirstUID:
		return 0, 0, fmt.Errorf("user %s is number %d, under store.first_valid_uid, %d",
			hint.Quote(u.Owner), uid, s.FirstUID)
	case gid < s.FirstGID:
		return 0, 0, fmt.Errorf("group %d of user %s is under store.first_valid_gid, %d",
			gid, hint.Quote(u.Owner), s.FirstGID)
	}
	return uid, gid, nil
}

// RunAs returns the user and group that the server is to run as. set is false if the configuration names none.
func (s Store) RunAs() (uid, gid int, set bool, err error) {
	if s.User == "" {
		return 0, 0, false, nil
	}
	if s.Group == "" {
		uid, gid, err = PrimaryIDs(s.User)
	} else if uid, err = UserID(s.User); err == nil {
		gid, err = GroupID(s.Group)
	}
	switch {
	case err != nil:
		return 0, 0, true, err
	case uid == 0 || gid == 0:
		return 0, 0, true, errors.New("root and its group must not handle mail")
	}
	return uid, gid, true, nil
}
