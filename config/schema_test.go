package config_test

import (
	"encoding/json"
	"os"
	"regexp"
	"testing"

	"github.com/BurntSushi/toml"

	"github.com/doorstep-mail/doorstep/config"
)

// TestSchemaTakesWhatLoads: every configuration that loads without a problem fits the schema, and one
// with an unknown key does not. Of JSON Schema there is only what this one uses.
func TestSchemaTakesWhatLoads(t *testing.T) {
	var root map[string]any
	if err := json.Unmarshal([]byte(config.Schema()), &root); err != nil {
		t.Fatal(err)
	}
	for name, path := range files(t, "good") {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if why := misfit(root, decoded(t, string(text))); why != "" {
			t.Errorf("%s: %s", name, why)
		}
	}
	if why := misfit(root, decoded(t, config.Default())); why != "" {
		t.Errorf("the default configuration: %s", why)
	}
	for _, text := range []string{
		"wrong = 1", "hostname = 1", "[limits]\nidle_timeout = \"5\"", "[[listen]]\nprotocol = \"lmtp\"",
		"[log]\nlevel = \"loud\"",
	} {
		if misfit(root, decoded(t, text)) == "" {
			t.Errorf("%q fits", text)
		}
	}
}

func decoded(t *testing.T, text string) any {
	t.Helper()
	var v map[string]any
	if _, err := toml.Decode(text, &v); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var plain any
	if err := json.Unmarshal(b, &plain); err != nil {
		t.Fatal(err)
	}
	return plain
}

// misfit says why a value does not fit a schema; "" where it does.
func misfit(schema map[string]any, v any) string {
	if forms, ok := schema["anyOf"].([]any); ok {
		why := ""
		for _, form := range forms {
			if why = misfit(form.(map[string]any), v); why == "" {
				return ""
			}
		}
		return why
	}
	if words, ok := schema["enum"].([]any); ok {
		for _, word := range words {
			if word == v {
				return ""
			}
		}
		return "no such word"
	}
	switch data := v.(type) {
	case map[string]any:
		properties, _ := schema["properties"].(map[string]any)
		for name, below := range data {
			property, ok := properties[name].(map[string]any)
			if !ok {
				return name + ": unknown"
			}
			if why := misfit(property, below); why != "" {
				return name + ": " + why
			}
		}
		required, _ := schema["required"].([]any)
		for _, name := range required {
			if _, ok := data[name.(string)]; !ok {
				return name.(string) + ": missing"
			}
		}
	case []any:
		items, ok := schema["items"].(map[string]any)
		if !ok {
			return "a list"
		}
		for _, item := range data {
			if why := misfit(items, item); why != "" {
				return why
			}
		}
	case string:
		if want, ok := schema["type"]; ok && want != "string" {
			return "a string"
		}
		if pattern, ok := schema["pattern"].(string); ok && !regexp.MustCompile(pattern).MatchString(data) {
			return data + " is not of the form"
		}
	case float64:
		least, _ := schema["minimum"].(float64)
		most, _ := schema["maximum"].(float64)
		if schema["type"] != "integer" || data < least || data > most {
			return "a number"
		}
	case bool:
		if schema["type"] != "boolean" {
			return "a boolean"
		}
	}
	return ""
}
