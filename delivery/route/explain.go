package route

import (
	"context"
	"strconv"
	"strings"

	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/lmtp"
)

// note adds a step about one of the accounts for those who ask.
func (q *question) note(f *Resolution, s Step) {
	if q.steps != nil {
		s.Path = f.path
		*q.steps = append(*q.steps, s)
	}
}

// explainClaims notes that several directories have an account.
func (q *question) explainClaims(ctx context.Context, f *Resolution) {
	chain, ok := q.router.Resolver.Directory.(interface {
		Claims(ctx context.Context, key directory.Key) []string
	})
	if q.steps == nil || !ok {
		return
	}
	key := f.Account.Key
	if names := chain.Claims(ctx, key); len(names) > 1 {
		all := strings.Join(names, " and ")
		q.note(f, Step{Rule: "twice", Input: key.String(), Result: "in " + all + ": the first counts"})
	}
}

// explainRules notes the rules for the mail of an account.
func (q *question) explainRules(f *Resolution) {
	if q.steps == nil {
		return
	}
	for _, rule := range q.router.Rules {
		if !rule.isFor(f.Account) {
			continue
		}
		input := rule.Field + " " + rule.Test.String()
		if rule.Which != RuleAny {
			input = rule.Which.String() + " " + input
		}
		if rule.Test != RuleExists {
			input += " " + strconv.Quote(rule.Value)
		}
		q.note(f, Step{Rule: "rule", Input: input, Result: rule.Folder})
	}
}

// explainRefusal notes why a mailbox of an alias gets nothing.
func (q *question) explainRefusal(f *Resolution, all error) {
	if q.steps == nil {
		return
	}
	rule := "left out"
	switch {
	case all != nil:
		rule = "refused"
	case Defers(f.Refused):
		rule = "deferred"
	}
	q.note(f, Step{Rule: rule, Input: f.name(), Result: lmtp.RcptReply(f.Refused).String()})
}
