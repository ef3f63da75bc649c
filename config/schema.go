package config

import (
	"encoding/json"
	"strings"
)

// A schema is a JSON Schema of a value (draft 2020-12), as maps.
type schema map[string]any

// Schema returns a JSON Schema of the configuration, for editors that help to write TOML. It says of
// what form each key is; whether a value makes sense only Load tells.
func Schema() string {
	root := schema{
		"$schema":              "https://json-schema.org/draft/2020-12/schema",
		"title":                "Doorstep",
		"description":          "The configuration of Doorstep, a delivery agent for LMTP and ESMTP.",
		"type":                 "object",
		"additionalProperties": false,
	}
	properties := schema{}
	for i := range sections {
		s := &sections[i]
		table := s.schema()
		switch {
		case s.name == "":
			for name, property := range table["properties"].(schema) {
				properties[name] = property
			}
		case s.array:
			properties[s.name] = schema{"type": "array", "items": table, "description": s.doc}
		default:
			properties[s.name] = table
		}
	}
	root["properties"] = properties
	text, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		panic("config: schema: " + err.Error()) // it is made of strings, numbers and lists
	}
	return string(text) + "\n"
}

// schema describes a table of the section.
func (s *section) schema() schema {
	properties, required := schema{}, []string{}
	for _, k := range s.keys {
		property := schema{"description": k.about()}
		for name, value := range k.schema {
			property[name] = value
		}
		if k.fallback != "" {
			// What the defaults are written in is JSON too: strings, numbers, lists of strings.
			property["default"] = json.RawMessage(strings.TrimSpace(k.fallback))
		}
		properties[k.name] = property
		if k.required {
			required = append(required, k.name)
		}
	}
	table := schema{"type": "object", "properties": properties, "additionalProperties": false, "description": s.doc}
	if len(required) > 0 {
		table["required"] = required
	}
	return table
}
