package check

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/doorstep-mail/doorstep/cmd/internal/build"
	"github.com/doorstep-mail/doorstep/config"
	"github.com/doorstep-mail/doorstep/delivery"
	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/lmtp/guard"
)

// An Answer is what something said that a configuration leads to.
type Answer struct {
	// Key is that of what was asked, such as "directory[0]", and Name what people call it.
	Key  string `json:"key"`
	Name string `json:"name"`
	// Text is the answer: "340 accounts in 12 domains". It is "" where there is a problem instead.
	Text string `json:"text,omitempty"`
	// Accounts and Domains are how many a directory has; nil where it cannot tell.
	Accounts *int `json:"accounts,omitempty"`
	Domains  *int `json:"domains,omitempty"`
}

// patience is how long each may take for all that it is asked.
const patience = 30 * time.Second

// A question is asked of one thing. It adds to the problems, and says the rest in the answer.
type question struct {
	Answer
	problems []config.Problem
	ask      func(ctx context.Context, q *question)
}

// blame adds a problem with the value at a key.
func (q *question) blame(c *config.Config, key, text, hint string) *config.Problem {
	p := c.Place(key)
	p.Text, p.Hint = strings.Join(strings.Fields(text), " "), hint
	q.problems = append(q.problems, p)
	return &q.problems[len(q.problems)-1]
}

// Connect asks everything that a configuration leads to, as the present user, and all at once. unit is that of systemd
// which starts the server, "" for none.
func Connect(ctx context.Context, c *config.Config, unit string) (answers []Answer, problems []config.Problem,
	err error) {
	agent, err := build.Agent(c, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, nil, err
	}
	questions := []*question{storeQuestion(c), usersQuestion(c, agent)}
	for i := range c.Directories {
		questions = append(questions, directoryQuestion(c, i, agent))
	}
	questions = append(questions, socketQuestions(c, unit)...)
	questions = append(questions, submissionQuestion(c), urlQuestion(c), stateQuestion(c))
	questions = slices.DeleteFunc(questions, func(q *question) bool { return q == nil })
	var all guard.Group
	for i, q := range questions {
		all.Go(func() { questions[i] = answered(ctx, c, q) })
	}
	all.Wait()
	for _, q := range questions {
		answers, problems = append(answers, q.Answer), append(problems, q.problems...)
	}
	return answers, problems, errors.Join(build.CloseAgent(ctx, agent), agent.Store.Close())
}

// answered asks, and does not wait for what hangs in the kernel.
func answered(ctx context.Context, c *config.Config, q *question) *question {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	asked := *q
	done := make(chan error, 1)
	go func() {
		done <- guard.Call(func() error { asked.ask(ctx, &asked); return nil })
	}()
	select {
	case err := <-done:
		if err != nil {
			q.blame(c, q.Key, err.Error(), "")
			return q
		}
		return &asked
	case <-time.After(patience + time.Second): // longer than who goes by ctx takes
		q.blame(c, q.Key, fmt.Sprintf("%s does not answer within %s", q.Name, patience),
			"does its file system, or its network?")
		return q
	}
}

// storeQuestion asks how much room there is for mail.
func storeQuestion(c *config.Config) *question {
	root := c.Store.Root()
	if root == "" {
		return nil // homes may be anywhere
	}
	return &question{Answer: Answer{Key: "store.path", Name: "store " + root}, ask: func(_ context.Context, q *question) {
		var fs unix.Statfs_t
		if err := unix.Statfs(root, &fs); err != nil {
			return // a problem already
		}
		free := fs.Bavail * uint64(fs.Frsize)
		if free == 0 || fs.Files > 0 && fs.Ffree == 0 {
			q.blame(c, q.Key, "the file system of "+root+" is full", "df and df -i tell of octets and of inodes")
			return
		}
		q.Text = fmt.Sprintf("%d MiB are free", free>>20)
	}}
}

// usersQuestion asks for the homes of the accounts of the configuration.
func usersQuestion(c *config.Config, agent *delivery.Agent) *question {
	if len(c.Users) == 0 {
		return nil
	}
	return &question{Answer: Answer{Key: "user", Name: "users"}, ask: func(ctx context.Context, q *question) {
		domains := map[string]bool{}
		for i, u := range c.Users {
			key, err := agent.Router.Resolver.Key(u.Address)
			if err != nil {
				continue // a problem already
			}
			domains[key.Domain] = true
			entry, err := agent.Router.Resolver.Directory.(*directory.Chain).Backends[0].Lookup(ctx, key)
			if err == nil && entry.Account != nil {
				err = noWay(ctx, c, agent, entry.Account)
			}
			if err != nil {
				q.blame(c, fmt.Sprintf("user[%d].home", i), err.Error(), lookupTells).Warning = true
			}
		}
		q.counted(len(c.Users), len(domains))
	}}
}

// lookupTells is what can be done about an account that takes no mail.
const lookupTells = "until then its mail is deferred; doorstep lookup ADDRESS tells what becomes of it"

// counted says how many accounts there are.
func (q *question) counted(accounts, domains int) {
	q.Accounts, q.Domains = &accounts, &domains
	q.Text = fmt.Sprintf("%s in %s", count(accounts, "account"), count(domains, "domain"))
}

// urlQuestion asks whether there is a server where warnings are posted to. It posts none: OPTIONS is safe (RFC 9110
// §9.3.7), and any answer shows that there is one.
func urlQuestion(c *config.Config) *question {
	if c.Quota.WarnURL == "" {
		return nil
	}
	ask := func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, min(c.Quota.WarnTimeout, patience))
		defer cancel()
		request, err := http.NewRequestWithContext(ctx, http.MethodOptions, c.Quota.WarnURL, http.NoBody)
		if err != nil {
			return err
		}
		client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		reply, err := client.Do(request)
		if err != nil {
			return err
		}
		return reply.Body.Close()
	}
	const key = "quota.warn_url"
	return &question{Answer: Answer{Key: key, Name: key}, ask: func(ctx context.Context, q *question) {
		err := ask(ctx)
		if err == nil {
			q.Text = "its server answers; no warning was posted"
			return
		}
		var withURL *url.Error // which may have a secret in it
		if errors.As(err, &withURL) {
			err = withURL.Err
		}
		q.blame(c, q.Key, err.Error(), "is its server running? Mail does not depend on it").Warning = true
	}}
}
