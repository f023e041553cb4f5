package words

import "strings"

// Azure is a repository as Azure DevOps names it.
type Azure struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Project struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	} `json:"project"`
}

// FullName is PROJECT/NAME, or what an address has in their place where that is their ids;
// empty where nothing is said.
func (a Azure) FullName(project, name string) string {
	if strings.EqualFold(a.Project.ID, project) {
		a.Project.Name = project
	}
	if strings.EqualFold(a.ID, name) {
		a.Name = name
	}
	return strings.Trim(a.Project.Name+"/"+a.Name, "/")
}
