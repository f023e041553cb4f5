// Package forge opens, finds, updates, closes and merges pull requests on GitHub,
// GitLab, Gitea and Forgejo, Bitbucket Cloud, Bitbucket Data Center and Azure
// DevOps, and reads and sets the commit statuses there. GitLab's merge requests are
// pull requests here.
//
// [Locate] says which repository on which forge a remote of git is. [New] makes
// the client of that repository. Package credentials below finds the token for it,
// package codeowners the reviewers.
//
// What a forge answers is not trusted: answers, pages and waiting are bounded, a
// redirect to another host is not followed, and the text of an error is one
// printable line without the token.
package forge
