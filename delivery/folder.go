package delivery

import (
	"github.com/doorstep-mail/doorstep/mailbox"
)

// Dest gives the place of the copy for what an address led to: the account's Maildir or, where
// the domain wants details there, the folder in it that the detail names. A detail that names
// no folder, or none that is there, is only a tag: strangers write details, and make no folders.
// Where that cannot be told it gives the inbox and why; with any other error the zero Dest.
func (a *Agent) Dest(found Resolution) (mailbox.Dest, error) {
	inbox, err := a.Layout.Dest(found.Account)
	if err != nil || found.Detail == "" || !found.Domain.DetailFolders {
		return inbox, err
	}
	folder := inbox
	if folder.Folder, err = a.Folders.Dir(found.Detail); err != nil {
		return inbox, nil
	}
	there, err := a.Store.HasFolder(folder)
	if err != nil || !there {
		return inbox, err
	}
	return folder, nil
}
