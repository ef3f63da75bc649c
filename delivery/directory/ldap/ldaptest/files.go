package ldaptest

// configuration is slapd.conf(5). DIR is the server's directory.
const configuration = `include DIR/schema
pidfile DIR/pid
modulepath /usr/lib/ldap
moduleload back_mdb
TLSCACertificateFile DIR/ca.pem
TLSCertificateFile DIR/cert.pem
TLSCertificateKeyFile DIR/key.pem
sizelimit 100
database mdb
suffix "dc=mail"
directory DIR/db
maxsize 10485760
limits dn.exact="` + BindDN + `" size.prtotal=unlimited
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="` + BindDN + `" read by * none
`

// root are the entries above all others.
const root = `dn: dc=mail
objectClass: root
dc: mail

dn: ` + BindDN + `
objectClass: reader
cn: doorstep
userPassword: ` + Password + `

dn: ` + Base + `
objectClass: organization
o: domains

`

// schema has iRedMail's names of attributes. The numbers are ours, of the arc for examples (RFC 5612),
// and mail takes any text: the one that comes with slapd is ASCII.
const schema = `objectidentifier x 1.3.6.1.4.1.32473.1
objectidentifier text 1.3.6.1.4.1.1466.115.121.1.15
attributetype ( x:1 NAME 'dc' EQUALITY caseIgnoreMatch SYNTAX text SINGLE-VALUE )
attributetype ( x:2 NAME 'o' EQUALITY caseIgnoreMatch SYNTAX text )
attributetype ( x:3 NAME 'mail' EQUALITY caseIgnoreMatch SUBSTR caseIgnoreSubstringsMatch SYNTAX text )
attributetype ( x:4 NAME 'shadowAddress' EQUALITY caseIgnoreMatch SUBSTR caseIgnoreSubstringsMatch SYNTAX text )
attributetype ( x:5 NAME 'accountStatus' EQUALITY caseIgnoreMatch SYNTAX text SINGLE-VALUE )
attributetype ( x:6 NAME 'enabledService' EQUALITY caseIgnoreMatch SYNTAX text )
attributetype ( x:7 NAME 'mailForwardingAddress' EQUALITY caseIgnoreMatch SYNTAX text )
attributetype ( x:8 NAME 'mailQuota' EQUALITY caseIgnoreMatch SYNTAX text SINGLE-VALUE )
attributetype ( x:9 NAME 'homeDirectory' EQUALITY caseExactMatch SYNTAX text SINGLE-VALUE )
attributetype ( x:10 NAME 'mailMessageStore' EQUALITY caseExactMatch SYNTAX text SINGLE-VALUE )
attributetype ( x:11 NAME 'storageBaseDirectory' EQUALITY caseExactMatch SYNTAX text SINGLE-VALUE )
attributetype ( x:12 NAME 'domainName' EQUALITY caseIgnoreMatch SYNTAX text )
attributetype ( x:13 NAME 'domainAliasName' EQUALITY caseIgnoreMatch SYNTAX text )
attributetype ( x:14 NAME 'domainBackupMX' EQUALITY caseIgnoreMatch SYNTAX text SINGLE-VALUE )
attributetype ( x:15 NAME 'ownerUid' EQUALITY caseExactMatch SYNTAX text SINGLE-VALUE )
attributetype ( x:16 NAME 'ownerGid' EQUALITY caseExactMatch SYNTAX text SINGLE-VALUE )
attributetype ( x:17 NAME 'mailboxFormat' EQUALITY caseIgnoreMatch SYNTAX text SINGLE-VALUE )
attributetype ( x:18 NAME 'mailboxFolder' EQUALITY caseIgnoreMatch SYNTAX text SINGLE-VALUE )
attributetype ( x:19 NAME 'domainStatus' EQUALITY caseIgnoreMatch SYNTAX text )
objectclass ( x:101 NAME 'root' STRUCTURAL MUST dc )
objectclass ( x:102 NAME 'reader' STRUCTURAL MUST ( cn $ userPassword ) )
objectclass ( x:103 NAME 'organization' STRUCTURAL MUST o )
objectclass ( x:104 NAME 'mailDomain' STRUCTURAL MUST domainName MAY ( domainAliasName $ domainBackupMX $ accountStatus $ enabledService ) )
objectclass ( x:105 NAME 'mailUser' STRUCTURAL MUST mail MAY ( shadowAddress $ accountStatus $ enabledService $ mailForwardingAddress $ mailQuota $
	homeDirectory $ mailboxFormat $ mailboxFolder $ domainStatus $ mailMessageStore $
	storageBaseDirectory $ ownerUid $ ownerGid ) )
objectclass ( x:106 NAME 'mailAlias' STRUCTURAL MUST mail MAY ( shadowAddress $ accountStatus $ enabledService $ mailForwardingAddress $
	domainStatus ) )
`
