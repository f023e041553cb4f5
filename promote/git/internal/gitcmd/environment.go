package gitcmd

import (
	"path/filepath"
	"strings"
)

// passedOn are the variables that git and what it runs may need: to find programs
// and settings, to reach a remote, to ask for a passphrase. Nothing else is handed
// to them, as hooks are other people's programs and this one's environment often
// holds keys and tokens. A name that ends in "_" stands for all that begin so.
var passedOn = []string{
	"PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "LANG", "LANGUAGE", "LC_", "TZ", "TMPDIR", "TMP", "TEMP", "XDG_",
	"GIT_", "EMAIL", "EDITOR", "VISUAL", "PAGER",
	"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "FTP_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE", "KRB5CCNAME",
	"SSH_", "GPG_", "GNUPGHOME", "PINENTRY_", "DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "DBUS_",
	"LD_LIBRARY_PATH", "DYLD_", "NIX_",
	// what people set to tell their hooks something
	"CI", "SKIP", "PRE_COMMIT_", "HUSKY", "HUSKY_", "LEFTHOOK", "LEFTHOOK_",
	// Windows, and the programs that come with Git there
	"SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "PATHEXT", "USERNAME", "USERDOMAIN", "USERPROFILE", "HOMEDRIVE", "HOMEPATH",
	"APPDATA", "LOCALAPPDATA", "PROGRAMDATA", "PROGRAMFILES", "PROGRAMFILES(X86)", "PROGRAMW6432", "COMMONPROGRAMFILES",
	"MSYS", "MSYSTEM", "OS", "PROCESSOR_", "NUMBER_OF_PROCESSORS",
}

// environment is what git gets of the user's environment. Paths in it are relative
// to the current directory, and git runs with -C. The switches for pathspecs would
// change what ours mean.
func environment(user []string) []string {
	env := make([]string, 0, len(user)+8)
	for _, entry := range user {
		name, value, _ := strings.Cut(entry, "=")
		switch name {
		case "GIT_LITERAL_PATHSPECS", "GIT_GLOB_PATHSPECS", "GIT_NOGLOB_PATHSPECS", "GIT_ICASE_PATHSPECS":
			continue
		case "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY":
			if abs, err := filepath.Abs(value); err == nil && value != "" {
				entry = name + "=" + abs
			}
		}
		if isPassedOn(strings.ToUpper(name)) {
			env = append(env, entry)
		}
	}
	return env
}

func isPassedOn(name string) bool {
	for _, p := range passedOn {
		if name == p || strings.HasSuffix(p, "_") && strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}
