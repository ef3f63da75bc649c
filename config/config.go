package config

// A Config is a whole configuration: defaults applied, paths absolute, addresses parsed. It is not changed after Load.
type Config struct {
	Server
	Listen     []Listen
	TLS        TLS
	Auth       Auth
	Limits     Limits
	Store      Store
	Quota      Quota
	State      State
	Submission Submission
	Accounts
	Rules   []Rule
	Control Control
	Admin   Admin
	Sandbox Sandbox
	Log     Log

	origin origin
}
