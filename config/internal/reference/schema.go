package reference

import (
	"encoding/json"
	"strings"

	"github.com/doorstep-mail/doorstep/config/internal/table"
)

// Schema returns a JSON Schema of the configuration, for editors that help to write TOML. It has the form of each key;
// whether a value makes sense is for the configuration's owner to check.
func Schema(sections []table.Description) string {
	root := table.Schema{
		"$schema":              "https://json-schema.org/draft/2020-12/schema",
		"title":                "Doorstep",
		"description":          "The configuration of Doorstep, a delivery agent for LMTP and ESMTP.",
		"type":                 "object",
		"additionalProperties": false,
	}
	properties := table.Schema{}
	for _, s := range sections {
		form := schemaOf(s)
		switch {
		case s.Name == "":
			for name, property := range form["properties"].(table.Schema) {
				properties[name] = property
			}
		case s.Array:
			properties[s.Name] = table.Schema{"type": "array", "items": form, "description": s.Doc}
		default:
			properties[s.Name] = form
		}
	}
	root["properties"] = properties
	text, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		panic("config: schema: " + err.Error()) // it is made of strings, numbers and lists
	}
	return string(text) + "\n"
}

// schemaOf describes a table of the section.
func schemaOf(s table.Description) table.Schema {
	properties, required := table.Schema{}, []string{}
	for _, k := range s.Rows {
		property := table.Schema{"description": k.About()}
		for name, value := range k.Schema {
			property[name] = value
		}
		if k.Default != "" {
			// What the defaults are written in is JSON too: strings, numbers, lists of strings.
			property["default"] = json.RawMessage(strings.TrimSpace(k.Default))
		}
		properties[k.Name] = property
		if k.Required {
			required = append(required, k.Name)
		}
	}
	form := table.Schema{
		"type": "object", "properties": properties, "additionalProperties": false, "description": s.Doc,
	}
	if len(required) > 0 {
		form["required"] = required
	}
	return form
}
