package delivery

import (
	"strings"

	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/mailbox"
)

// Details says what becomes of mail with a subaddress's detail.
type Details int

const (
	// DetailsTag leaves it in the inbox: the detail is only a tag.
	DetailsTag Details = iota
	// DetailsFolder delivers it into the folder that the detail names, if it is there.
	DetailsFolder
	// DetailsCreate makes the folder too, within the Agent's bounds.
	DetailsCreate
)

// Dest gives the place of the copy for what an address led to: the account's Maildir or, where
// the domain wants details there, the folder in it that the detail names. A detail that names no
// folder, or none that is there or is made, is only a tag: strangers write details. The Step says
// so, where a folder was in question. Where that cannot be told Dest gives the inbox and why; with
// any other error the zero Dest.
func (a *Agent) Dest(found Resolution) (mailbox.Dest, Step, error) {
	inbox, err := a.inbox(found.Account)
	if err != nil {
		return inbox, Step{}, err
	}
	if found.Detail == "" || found.Domain.Details == DetailsTag {
		return inbox, Step{}, nil
	}
	step := Step{Rule: "folder", Input: found.Detail, Result: "none of that name, so the inbox"}
	folder := inbox
	if folder.Folder, err = a.Folders.Dir(found.Detail); err != nil {
		return inbox, step, nil
	}
	if found.Domain.Details == DetailsCreate && strings.Count(found.Detail, ".") < a.FolderLevels && !a.Folders.IsRisky(found.Detail) {
		// It is said of those that are there too, so that a folder has one Dest.
		folder.MakeFolder = a.FolderLimit
	}
	there, err := a.Store.HasFolder(folder)
	if err == nil && there {
		step.Result = folder.Folder
		return folder, step, nil
	}
	can := false
	if err == nil {
		can, err = a.Store.CanMakeFolder(folder)
	}
	switch err = missingHome(found.Account, inbox, err); {
	case err != nil:
		step.Result = err.Error()
		return inbox, step, err
	case can:
		step.Result = folder.Folder + ", made by its first message"
		return folder, step, nil
	case found.Domain.Details == DetailsCreate:
		step.Result = "none of that name, and none is made, so the inbox"
	}
	return inbox, step, nil
}

// inbox gives the place of an account's Maildir, whose it is, and what it may hold.
func (a *Agent) inbox(account *directory.Account) (mailbox.Dest, error) {
	owner, err := a.Owners.Of(account)
	if err != nil {
		return mailbox.Dest{}, err
	}
	dest, err := a.Layout.Dest(account)
	if err != nil {
		return mailbox.Dest{}, err
	}
	dest.Owner, dest.Quota = owner, mailbox.Quota(account.Quota)
	return dest, nil
}
