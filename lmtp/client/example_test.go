package client_test

import (
	"context"
	"fmt"
	"log"
	"strings"

	"github.com/doorstep-mail/doorstep/lmtp/client"
)

// A message for two recipients, each of whom gets an answer.
func Example() {
	ctx := context.Background()
	c, err := client.Dial(ctx, "unix:/run/doorstep/lmtp.sock", client.Options{Hello: "app.example.org"})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	result, err := c.Send(ctx, client.Message{
		From:    "app@example.org",
		To:      client.To("alice@example.org", "用户@例え.example"),
		Content: strings.NewReader("Subject: hello\n\nHow are you?\n"),
	})
	if err != nil {
		log.Print(err) // recipients without an answer have it as their Err
	}
	if result == nil {
		return // nothing was sent
	}
	for _, o := range result.Recipients {
		fmt.Println(o.To, o.Delivered(), o.Final)
	}
}
