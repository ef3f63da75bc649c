package ldap

import (
	"context"
	"fmt"
	"iter"
	"time"

	client "github.com/go-ldap/ldap/v3"

	"github.com/doorstep-mail/doorstep/delivery/directory"
)

// pageSize is how many entries a server is asked for at a time.
const pageSize = 200

// Accounts returns all accounts, a page at a time (RFC 2696), over a connection of its own: a server knows only there
// how far it is.
func (d *Directory) Accounts(ctx context.Context) iter.Seq2[*directory.Account, error] {
	return func(yield func(*directory.Account, error) bool) {
		if d.options.Schema.IterateFilter == "" {
			yield(nil, directory.ErrNotListed)
			return
		}
		more := true
		err := d.pages(ctx, func(e *client.Entry) bool {
			more = yield(d.listed(e))
			return more
		})
		if client.IsErrorWithCode(err, client.LDAPResultSizeLimitExceeded) {
			err = fmt.Errorf("%w (OpenLDAP: limits dn.exact=\"%s\" size.prtotal=unlimited)", err, d.options.BindDN)
		}
		if err != nil && more {
			yield(nil, fmt.Errorf("ask LDAP for all accounts below %q: %w", d.options.Base, err))
		}
	}
}

// listed understands the entry of an account.
func (d *Directory) listed(e *client.Entry) (*directory.Account, error) {
	text := e.GetEqualFoldAttributeValue(d.options.Schema.Address)
	key, err := d.options.Key(text)
	if err != nil {
		return nil, directory.Broken(text, "%s: %w", e.DN, err)
	}
	return d.record(e, key)
}

// pages asks for page after page and calls see with their entries, until it has enough.
func (d *Directory) pages(ctx context.Context, see func(*client.Entry) bool) error {
	connecting, cancel := context.WithTimeout(ctx, d.options.Timeout)
	defer cancel()
	conn, err := d.pool.dialer.dial(connecting)
	if err != nil {
		return err
	}
	defer conn.Close()
	paging := client.NewControlPaging(pageSize)
	request := &client.SearchRequest{
		BaseDN: d.options.Base, Scope: client.ScopeWholeSubtree, DerefAliases: client.NeverDerefAliases,
		TimeLimit: int(d.options.Timeout/time.Second) + 1,
		Filter:    d.options.Schema.IterateFilter, Attributes: d.options.Schema.Attributes.all(),
		Controls: []client.Control{paging},
	}
	for {
		result, err := d.page(ctx, conn, request)
		if err != nil {
			return err
		}
		for _, e := range result.Entries {
			if !see(e) {
				return nil
			}
		}
		next, ok := client.FindControl(result.Controls, client.ControlTypePaging).(*client.ControlPaging)
		if !ok || len(next.Cookie) == 0 {
			return nil // the last, or a server without pages, which has given all
		}
		paging.SetCookie(next.Cookie)
	}
}

// page asks for one page.
func (d *Directory) page(ctx context.Context, conn *client.Conn,
	request *client.SearchRequest) (*client.SearchResult, error) {
	ctx, cancel := context.WithTimeout(ctx, d.options.Timeout)
	defer cancel()
	return ask(ctx, conn, request)
}
