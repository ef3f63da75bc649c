package route

import (
	"context"
	"errors"
	"strings"

	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/lmtp/address"
	"github.com/doorstep-mail/doorstep/mailbox"
	"github.com/doorstep-mail/doorstep/mailbox/words"
)

// Details says what becomes of mail with a subaddress's detail.
type Details int

const (
	// DetailsTag leaves it in the inbox: the detail is only a tag.
	DetailsTag Details = iota
	// DetailsFolder delivers it into the folder that the detail names, if it is there.
	DetailsFolder
	// DetailsCreate makes the folder too, within the Router's bounds.
	DetailsCreate
)

// place returns the action for what an address led to: keep the message or, where the domain wants details there, file
// it into the folder that the detail names. A detail that names no folder, or none that is there or is made, is only a
// tag: strangers write details. The Step says so, where a folder was in question. Where that cannot be found out the
// action is to keep it, and there is an error; with any other error there is no action.
func (r *Router) place(ctx context.Context, of Resolution) (Action, Step, error) {
	inbox, err := r.Inbox(of.Account)
	if err != nil {
		return nil, Step{Rule: "maildir", Input: address.Shown(of.Account.Address), Result: err.Error()}, err
	}
	box := Mailbox{Account: of.Account, Inbox: inbox, Detail: of.Detail}
	if of.Detail == "" || of.Domain.Details == DetailsTag {
		return Keep{box}, Step{}, nil
	}
	step := Step{Rule: "folder", Input: of.Detail, Result: "none of that name, so the inbox"}
	dir, err := r.Folders.Dir(of.Detail)
	if err != nil {
		return Keep{box}, step, nil
	}
	file := File{Mailbox: box, Folder: dir}
	levels := strings.Count(of.Detail, ".") + 1
	if of.Domain.Details == DetailsCreate && levels <= r.FolderLevels && !r.Folders.IsRisky(of.Detail) {
		// Also for a folder that exists, so that it has one Dest.
		file.Make = r.FolderLimit
	}
	found, there, err := r.Store.FindFolder(ctx, file.Dest())
	if errors.Is(err, mailbox.ErrFolderTwins) {
		step.Result = err.Error() + ", so the inbox"
		return Keep{box}, step, nil
	}
	if err == nil && there {
		file.Folder, step.Result = found.Folder, found.Folder
		return file, step, nil
	}
	can := false
	if err == nil {
		can, err = r.Store.CanMakeFolder(ctx, file.Dest())
	}
	switch err = missingHome(of.Account, inbox, err); {
	case err != nil:
		step.Result = err.Error()
		return Keep{box}, step, err
	case can:
		file.New = words.Fold(of.Detail)
		step.Result = dir + ", made by its first message"
		return file, step, nil
	case of.Domain.Details == DetailsCreate:
		step.Result = "none of that name, and none is made, so the inbox"
	}
	return Keep{box}, step, nil
}

// Inbox returns the place of an account's Maildir, whose it is, and what it may hold.
func (r *Router) Inbox(account *directory.Account) (mailbox.Dest, error) {
	owner, err := r.Owners.Of(account)
	if err != nil {
		return mailbox.Dest{}, err
	}
	dest, err := r.Layout.Dest(account)
	if err != nil {
		return mailbox.Dest{}, err
	}
	dest.Owner, dest.Quota = owner, mailbox.Quota(account.Quota)
	return dest, nil
}
