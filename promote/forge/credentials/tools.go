package credentials

import (
	"context"
	"errors"
	"os"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kubepromote/kubepromote/internal/fault"
	"github.com/kubepromote/kubepromote/promote/forge"
)

// gh reads what "gh auth login" has written, where it did not put the token into the
// keyring of the system.
func (s *search) gh(context.Context) (forge.Token, error) {
	if s.repository.Kind != forge.GitHub {
		return forge.Token{}, nil
	}
	host, shown, err := s.hostOf("GH_CONFIG_DIR", "gh", "hosts.yml", nil)
	if err != nil || host == nil {
		return forge.Token{}, err
	}
	secret := scalar(host, "oauth_token")
	if secret == "" {
		if user := scalar(host, "user"); user != "" {
			secret = scalar(host, "users", user, "oauth_token")
		}
	}
	if secret == "" {
		s.notes = append(s.notes, "gh keeps its token in a keyring: export GH_TOKEN=$(gh auth token)")
		return forge.Token{}, nil
	}
	return s.token(secret, shown, forge.SchemeDefault)
}

// glab reads what "glab auth login" has written.
func (s *search) glab(context.Context) (forge.Token, error) {
	if s.repository.Kind != forge.GitLab {
		return forge.Token{}, nil
	}
	host, shown, err := s.hostOf("GLAB_CONFIG_DIR", "glab-cli", "config.yml", []string{"hosts"})
	if err != nil || host == nil {
		return forge.Token{}, err
	}
	secret, scheme := scalar(host, "token"), forge.SchemeDefault
	if scalar(host, "is_oauth2") == "true" {
		scheme = forge.SchemeBearer
	}
	if secret == "" {
		s.notes = append(s.notes, "glab keeps its token in a keyring or has none for "+s.hostPort)
		return forge.Token{}, nil
	}
	return s.token(secret, shown, scheme)
}

// hostOf reads a configuration file and gives what stands there for the forge's
// host, or nil.
func (s *search) hostOf(variable, dir, name string, below []string) (host *yaml.Node, shown string, err error) {
	file, shown := s.configFile(variable, dir, name)
	if file == "" {
		return nil, "", nil
	}
	s.looked = append(s.looked, shown)
	data, err := readFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil, shown, nil
	}
	if err != nil {
		return nil, shown, &forge.Error{Msg: err.Error()}
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		// The text of the error may have some of the file.
		return nil, shown, &forge.Error{Msg: shown + " is no YAML"}
	}
	if len(doc.Content) == 0 {
		return nil, shown, nil
	}
	hosts := at(doc.Content[0], below...)
	if found := at(hosts, s.hostPort); found != nil {
		return found, shown, nil
	}
	return at(hosts, s.host), shown, nil
}

// at goes down by the keys of mappings. Aliases are not followed.
func at(n *yaml.Node, keys ...string) *yaml.Node {
	for _, key := range keys {
		if n == nil || n.Kind != yaml.MappingNode {
			return nil
		}
		var value *yaml.Node
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == key {
				value = n.Content[i+1]
			}
		}
		n = value
	}
	return n
}

// scalar is the text of a value, whatever its tag: glab writes tokens as !!null.
func scalar(n *yaml.Node, keys ...string) string {
	if n = at(n, keys...); n != nil && n.Kind == yaml.ScalarNode {
		return n.Value
	}
	return ""
}

// helper asks git, which asks its helpers.
func (s *search) helper(ctx context.Context) (forge.Token, error) {
	if s.options.Fill == nil {
		return forge.Token{}, nil
	}
	const from = "git's credential helper"
	s.looked = append(s.looked, from)
	path := s.repository.Owner + "/" + s.repository.Name
	if strings.ContainsAny(path+s.hostPort, "\n\r\x00") {
		return forge.Token{}, nil
	}
	out, err := s.options.Fill(ctx, "protocol="+s.scheme+"\nhost="+s.hostPort+"\npath="+path+".git\n\n")
	if ctx.Err() != nil {
		return forge.Token{}, &forge.Error{Msg: "asking " + from + ": " + fault.Network(ctx.Err()), Err: ctx.Err()}
	}
	if err != nil {
		return forge.Token{}, nil // it has none: git then wants to ask at the terminal, and fails
	}
	var user, password string
	for line := range strings.Lines(out) {
		line = strings.TrimRight(line, "\r\n")
		if v, ok := strings.CutPrefix(line, "username="); ok {
			user = v
		}
		if v, ok := strings.CutPrefix(line, "password="); ok {
			password = v
		}
	}
	if password == "" {
		return forge.Token{}, nil
	}
	return helped(s.repository.Kind, user, password, from), nil
}

// helped says how what a helper gives is sent: some forges take name and password as
// they are, at others the password is the token.
func helped(k forge.Kind, user, password, from string) forge.Token {
	t := forge.Token{Secret: password, User: user, From: from}
	switch {
	case k == forge.GitLab && user == "oauth2", k == forge.Bitbucket && user == "x-token-auth", k == forge.BitbucketServer && user == "":
		t.Scheme = forge.SchemeBearer
	case k == forge.GitHub || k == forge.GitLab:
	default:
		t.Scheme = forge.SchemeBasic
	}
	return t
}
