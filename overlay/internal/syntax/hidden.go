package syntax

import "bytes"

// hides are the beginnings of what Git's filters, and the tools that encrypt files, store in
// place of a file's content.
var hides = []struct{ begin, what, hint string }{
	{"version https://git-lfs.github.com/spec/", "is a pointer of Git LFS, whose content is not here", "git lfs pull"},
	{"\x00GITCRYPT\x00", "is encrypted by git-crypt", "git-crypt unlock"},
	{"U2FsdGVkX1", "is encrypted by openssl", ""}, // as transcrypt does
	{"Salted__", "is encrypted by openssl", ""},
	{"$ANSIBLE_VAULT;", "is encrypted by ansible-vault", ""},
	{"age-encryption.org/", "is encrypted by age", ""},
	{"-----BEGIN AGE ENCRYPTED FILE", "is encrypted by age", ""},
	{"-----BEGIN PGP MESSAGE", "is encrypted by PGP", ""},
}

// hidden tells of a text that stands for another.
func (s *Source) hidden() error {
	for _, h := range hides {
		if bytes.HasPrefix(s.Bytes, []byte(h.begin)) {
			return &Error{File: s.Name, Msg: h.what, Hint: h.hint}
		}
	}
	return nil
}
