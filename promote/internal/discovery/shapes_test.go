package discovery

// shapeTests are trees as repositories have them. A line of want is a shape's path and
// what it has, with the services and pins; "= " begins the environments, name@path<from;
// "- " begins what is left.
var shapeTests = []shapeTest{
	{"the well-known one", `
apps/{web,api}/overlays/{dev,staging,production}/kustomization.yaml kustomization:web
apps/{web,api}/base/kustomization.yaml resources`, `
apps/{service}/overlays/{environment} (2, 2)
= dev staging<dev production<staging`},
	{"overlays at the root", `
overlays/{staging,production}/kustomization.yaml kustomization:web
base/deployment.yaml deployment:web
docs/img/a line`, `
overlays/{environment} service web (1, 1)
= staging production<staging`},
	{"several images in one kustomization", `
overlays/{staging,production}/kustomization.yaml kustomization:web,api
overlays/{staging,production}/kong/kustomization.yaml resources`, `
overlays/{environment} service image (2, 2)
= staging production<staging`},
	{"below k8s", `
k8s/overlays/{dev,prod}/kustomization.yaml kustomization:web
k8s/base/kustomization.yaml resources`, `
k8s/overlays/{environment} service web (1, 1)
= dev prod<dev`},
	{"two values files for each environment", `
environments/{staging,production}/values.yaml block:shop
environments/{staging,production}/web-values.yaml tag`, `
environments/{environment}/values.yaml service shop (1, 1)
environments/{environment}/{service}-values.yaml (1, 1)
= staging production<staging`},
	{"values at the root", `
values.yaml block:web
values-{staging,production}.yaml tag
Chart.yaml =apiVersion: v2\nname: web\nversion: 1.0.0\n
templates/deployment.yaml template`, `
values-{environment}.yaml (1, 1)
= staging production<staging`},
	{"values under charts", `
charts/{web,api}/values.yaml block:web
charts/{web,api}/values-{dev,prod}.yaml tag
charts/{web,api}/Chart.yaml =apiVersion: v2\nname: web\nversion: 1.0.0\n`, `
charts/{service}/values-{environment}.yaml (2, 2)
= dev prod<dev`},
	{"values in a folder named helm", `
helm/values.yaml block:web
helm/values-{stg,prd}.yaml tag`, `
helm/values-{environment}.yaml (1, 1)
= stg prd<stg`},
	{"the environment twice", `
apps/{staging}/{web,api}/values-staging.yaml tag
apps/{production}/{web,api}/values-production.yaml tag`, `
apps/{environment}/{service}/values-{environment}.yaml (2, 2)
= staging production<staging`},
	{"the environment in front of the file's name", `
apps/{web,api}/{staging,prod}.values.yaml block:web`, `
apps/{service}/{environment}.values.yaml (2, 2)
= staging prod<staging`},
	{"environment as the file's name", `
services/{web,api}/{staging,production}.yaml block:web`, `
services/{service}/{environment}.yaml (2, 2)
= staging production<staging`},
	{"service in the file's name", `
deploy/{web,api}-values-{staging,production}.yaml block:web`, `
deploy/{service}-values-{environment}.yaml (2, 2)
= staging production<staging`},
	{"JSON", `
{web,api}/apps.{staging,production}.json ={"image":{"repository":"quay.io/acme/web","tag":"v1"}}`, `
{service}/apps.{environment}.json (2, 2)
= staging production<staging`},
	{"files without extension", `
image-tags/{integration,staging,production}/{publisher,frontend} =image_tag: v1395\nautomatic_deploys_enabled: true\n`, `
image-tags/{environment}/{service} (2, 2)
= integration staging<integration production<staging`},
	{"files of one line", `
versions/{staging,production}/{web,api} line
versions/{staging,production}/OWNERS line`, `
versions/{environment}/{service} (2, 2)
= staging production<staging`},
	{"lines of KEY=VALUE", `
overrides/{staging,production}.env env`, `
overrides/{environment}.env service api images API_TAG (1, 1)
= staging production<staging`},
	{"an ApplicationSet", `
argocd/web.yaml =apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: {name: web}\nspec:\n  generators:\n  - list:\n      elements:\n      - {env: dev, imageTag: v3}\n      - {env: staging, imageTag: v2}\n      - {env: prod, imageTag: v1}\n  template: {}\n`, `
argocd/{service}.yaml within spec.generators[0].list.elements[env={environment}] (1, 1)
= dev staging<dev prod<staging`},
	{"many ApplicationSets", `
argocd/{web,api}.yaml =apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: {name: web}\nspec:\n  generators:\n  - list:\n      elements:\n      - {cluster: prod-eu, image: "quay.io/acme/web:v1"}\n      - {cluster: prod-us, image: "quay.io/acme/web:v1"}\n      - {cluster: staging, image: "quay.io/acme/web:v1"}\n  template: {}\n
argocd/project.yaml configmap:x`, `
argocd/{service}.yaml within spec.generators[0].list.elements[cluster={environment}] (2, 2)
= staging prod-eu<staging prod-us<staging`},
	{"an ApplicationSet below another word", `
dev-tools/argocd/web.yaml =apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: {name: web}\nspec:\n  generators:\n  - list:\n      elements:\n      - {env: staging, imageTag: v2}\n      - {env: prod, imageTag: v1}\n  template: {}\n`, `
dev-tools/argocd/{service}.yaml within spec.generators[0].list.elements[env={environment}] (1, 1)
= staging prod<staging`},
	{"environments in one file", `
versions.yaml =staging:\n  web: {image: {repository: quay.io/acme/web, tag: v2}}\n  api: {image: {repository: quay.io/acme/api, tag: v2}}\nproduction:\n  web: {image: {repository: quay.io/acme/web, tag: v1}}\n  api: {image: {repository: quay.io/acme/api, tag: v1}}\n`, `
versions.yaml within {environment}.{service} (2, 2)
= staging production<staging`},
	{"patches of HelmReleases", `
clusters/{staging,production}/apps.yaml configmap:apps
apps/{staging,production}/{web,api}-patch.yaml patch:web
apps/{staging,production}/kustomization.yaml resources
apps/base/{web,api}/release.yaml patch:web`, `
apps/{environment}/{service}-patch.yaml (2, 2)
= staging production<staging`},
	{"Flux markers", `
clusters/{staging,production}/infrastructure/core/{web,api}.yaml marker:web`, `
clusters/{environment}/infrastructure/core/{service}.yaml (2, 2)
= staging production<staging`},
	{"folders that differ between the environments", `
clusters/staging/infrastructure/blue-1/{web,api}.yaml marker:web
clusters/production/infrastructure/main-7/{web,api}.yaml marker:web`, `
clusters/{environment}/infrastructure/*/{service}.yaml (2, 2)
= staging production<staging`},
	{"variables without a marker", `
clusters/{staging,production}/{web,api}.yaml substitute:web`, `
clusters/{environment}/{service}.yaml images spec.postBuild.substitute.WEB_VERSION (2, 2)
= staging production<staging`},
	{"another depth for one environment", `
components/{web,api}/development/kustomization.yaml kustomization:web
components/{web,api}/{staging,production}/base/kustomization.yaml kustomization:web`, `
components/{service}/{environment} (2, 2)
= development staging@staging/base<development production@production/base<staging`},
	{"a base beside", `
components/{web,api}/{development,staging}/kustomization.yaml kustomization:web
components/{web,api}/base/kustomization.yaml kustomization:web`, `
components/{service}/{environment} (2, 2)
= development staging<development`},
	{"rings", `
rings/ring-{0,1,2}/{web,api}/kustomization.yaml kustomization:web`, `
rings/{environment}/{service} (2, 2)
= ring-0 ring-1<ring-0 ring-2<ring-1`},
	{"regions in the name", `
apps/{web,api}/overlays/{staging,prod-eu,prod-us}/kustomization.yaml kustomization:web`, `
apps/{service}/overlays/{environment} (2, 2)
= staging prod-eu<staging prod-us<staging`},
	{"regions of two stages", `
apps/web/overlays/{dev,staging-eu,staging-us,prod-eu,prod-us}/kustomization.yaml kustomization:web`, `
apps/{service}/overlays/{environment} (1, 1)
= dev staging-eu<dev staging-us<dev prod-eu<staging-eu prod-us<staging-us`},
	{"regions in folders of their own", `
overlays/{staging,production/eu,production/us}/kustomization.yaml kustomization:web`, `
overlays/{environment} service web (1, 1)
= staging production-eu@production/eu<staging production-us@production/us<staging`},
	{"regions below every environment", `
clusters/{staging,prod}/{us-east-1,eu-west-1}/{web,api}.yaml patch:web`, `
clusters/{environment}/{service}.yaml (2, 2)
= staging-eu-west-1@staging/eu-west-1 staging-us-east-1@staging/us-east-1 prod-eu-west-1@prod/eu-west-1<staging-eu-west-1 prod-us-east-1@prod/us-east-1<staging-us-east-1`},
	{"clusters of names", `
clusters/{ocp4-stage,ocp4-prod}/{web,api}/values.yaml block:web`, `
clusters/{environment}/{service}/values.yaml (2, 2)
= ocp4-stage ocp4-prod<ocp4-stage`},
	{"the region in front", `
envs/{us-east-1-stage,us-east-1-prod,eu-west-1-prod}/{version,settings}.yml =image: quay.io/acme/web:v1\n`, `
envs/{environment}/settings.yml service web (1, 1)
envs/{environment}/version.yml service web (1, 1)
= us-east-1-stage eu-west-1-prod<us-east-1-stage us-east-1-prod<us-east-1-stage`},
	{"an environment with a region, and companions", `
envs/{stage-eu,prod-eu}/version.yml =version: 1.2.3\n
envs/{stage-eu,prod-eu}/settings.yml replicas`, `
envs/{environment}/version.yml images version (1, 1)
= stage-eu prod-eu<stage-eu`},
	{"names that are no usual words", `
clusters/{acme-stage,beta-prod}/{web,api}.yaml patch:web`, `
clusters/{environment}/{service}.yaml (2, 2)
= acme-stage beta-prod<acme-stage`},
	{"an unusual name beside usual ones", `
{web,api,job}/overlays/{test,ocp4-stage,moc-prod}/kustomization.yaml kustomization:web
{web,api,job}/overlays/moc/kustomization.yaml resources
shop/overlays/{ocp4-stage,moc-prod}/{cart,mail}/kustomization.yaml kustomization:cart`, `
{service}/overlays/{environment} (3, 3)
shop/overlays/{environment}/{service} (2, 2)
= test ocp4-stage<test moc-prod<ocp4-stage`},
	{"clusters of names beside stages", `
clusters/{development,production,c2-production,c3}/infrastructure/{core,third-party}/{web,api}.yaml marker:web`, `
clusters/{environment}/infrastructure/{team}/{service}.yaml (4, 4)
= development c2-production<development production<development
- clusters/c3/infrastructure/*/*.yaml: it holds the same pins as the environments beside it, and its name is that of none`},
	{"folders of a service and an environment", `
{web,api}-{staging,production}/kustomization.yaml kustomization:web`, `
{service}-{environment} (2, 2)
= staging production<staging`},
	{"one values file of many services", `
deploy/values-{staging,production}.yaml =services:\n  web: {image: {repository: quay.io/acme/web, tag: v1}}\n  api: {image: {repository: quay.io/acme/api, tag: v1}}\n  db: {replicas: 1}\n`, `
deploy/values-{environment}.yaml within services.{service} (2, 2)
= staging production<staging`},
	{"one values file of many services in a chart", `
charts/shop/values-{staging,production}.yaml =services:\n  web: {tag: v1}\n  api: {tag: v1}\n`, `
charts/shop/values-{environment}.yaml within services.{service} images services.{service}.tag (2, 2)
= staging production<staging`},
	{"an umbrella chart", `
values-{staging,production}.yaml =web:\n  image: {repository: quay.io/acme/web, tag: v1}\napi:\n  image: {repository: quay.io/acme/api, tag: v1}\n`, `
values-{environment}.yaml within {service} (2, 2)
= staging production<staging`},
	{"a list of services", `
deploy/{staging,production}.yaml =services:\n- name: web\n  image: quay.io/acme/web:v1\n- name: api\n  image: quay.io/acme/api:v1\n`, `
deploy/{environment}.yaml within services[name={service}] (2, 2)
= staging production<staging`},
	{"charts alone", `
apps/{staging,production}/{web,api}.yaml chart:web`, `
apps/{environment}/{service}.yaml (2, 2)
= staging production<staging`},
	{"teams", `
team-{a,b}/{web,api}/values-{staging,production}.yaml block:web`, `
{team}/{service}/values-{environment}.yaml (4, 4)
= staging production<staging`},
	{"plain manifests", `
apps/{web,api}/{staging,production}/deployment.yaml deployment:web
apps/{web,api}/{staging,production}/{service,hpa,ingress}.yaml configmap:web`, `
apps/{service}/{environment}/deployment.yaml (2, 2)
= staging production<staging`},
	{"the service's name twice", `
apps/web/overlays/{staging,production}/web-deployment.yaml deployment:web
apps/api/overlays/{staging,production}/api-deployment.yaml deployment:api`, `
apps/{service}/overlays/{environment}/{service}-deployment.yaml (2, 2)
= staging production<staging`},
	{"several layouts", `
apps/{web,api}/overlays/{dev,prod}/kustomization.yaml kustomization:web
charts/{cart,mail}/values-{dev,prod}.yaml block:cart
clusters/{dev,prod}/{ingress,dns,vault}.yaml patch:ingress
tags/{dev,prod}/{batch,cron,job,queue} line`, `
tags/{environment}/{service} (4, 4)
clusters/{environment}/{service}.yaml (3, 3)
apps/{service}/overlays/{environment} (2, 2)
charts/{service}/values-{environment}.yaml (2, 2)
= dev prod<dev`},
	{"a kustomization and a patch of another image", `
apps/web/overlays/{dev,prod}/kustomization.yaml kustomization:web
apps/web/overlays/{dev,prod}/sidecar-patch.yaml deployment:sidecar`, `
apps/{service}/overlays/{environment} (1, 1)
apps/{service}/overlays/{environment}/sidecar-patch.yaml (1, 1)
= dev prod<dev`},
	{"a kustomization over a manifest", `
apps/web/{dev,prod}/kustomization.yaml kustomization:web
apps/web/{dev,prod}/deployment.yaml deployment:web`, `
apps/{service}/{environment} (1, 1)
= dev prod<dev`},
	{"two words for one environment", `
staging/{web,api}/values-staging.yaml block:web
production/{web,api}/values-prod.yaml block:web`, `
{environment}/{service}/values-*.yaml (2, 2)
= staging production<staging`},
	{"pipelines with stages of their own", `
delivery/{qa,sit,uat}/{cart-service,user-service,frontend}-values.yaml tag
feature1/{dev,qa,uat}/{cart-service,user-service}-values.yaml tag`, `
{team}/{environment}/{service}-values.yaml (5, 5)
= dev sit<dev qa<sit uat<qa`},
	{"profiles", `
apps/{auth,cart,web}/overlays/{demo,dev,local,prod}/kustomization.yaml kustomization:web
apps/{auth,cart,web}/profiles/{full,small}/overlays/{dev,prod}/kustomization.yaml kustomization:web`, `
apps/{service}/profiles/{profile}/overlays/{environment} (6, 6)
apps/{service}/overlays/{environment} (3, 3)
= dev prod<dev
- apps/*/overlays/demo: it holds the same pins as the environments beside it, and its name is that of none
- apps/*/overlays/local: it holds the same pins as the environments beside it, and its name is that of none`},
	{"rings beside stages", `
components/{web,api}/{development,staging}/kustomization.yaml kustomization:web
components/proxy/rings/ring-{0,1}/base/kustomization.yaml kustomization:proxy`, `
components/{service}/{environment} (2, 2)
= development staging<development
- components/{service}/rings/{environment}/base: its environments have other names: ring-0, ring-1`},
	{"image tags in a chart", `
charts/app-config/Chart.yaml =apiVersion: v2\nname: app-config\nversion: 1.0.0\n
charts/app-config/image-tags/{integration,production}/{account-api,frontend} =image_tag: v1\n
charts/app-config/templates/x.yaml template`, `
charts/app-config/image-tags/{environment}/{service} (2, 2)
= integration production<integration`},
	{"folders at the root", `
{dev,prod}/kustomization.yaml kustomization:web`, `
{environment} service web (1, 1)
= dev prod<dev`},
	{"another depth with several files", `
components/{web,api}/development/{kustomization,web-patch}.yaml patch:web
components/{web,api}/development/kustomization.yaml kustomization:sidecar
components/{web,api}/{staging,production}/base/web-patch.yaml patch:web
components/{web,api}/{staging,production}/base/kustomization.yaml kustomization:sidecar`, `
components/{service}/{environment} (2, 2)
components/{service}/{environment}/web-patch.yaml (2, 2)
= development staging@staging/base<development production@production/base<staging`},
	{"services named like sides", `
apps/{staging,production}/{edge,hub}.yaml patch:web`, `
apps/{environment}/{service}.yaml (2, 2)
= staging production<staging`},
	{"ranks", `
apps/web/overlays/{live,preprod,uat,qa,test,dev,stage}/kustomization.yaml kustomization:web`, `
apps/{service}/overlays/{environment} (1, 1)
= dev test<dev qa<test stage<qa uat<stage preprod<uat live<preprod`},
	{"pre-prod", `
apps/web/overlays/{pre-prod,prod}/kustomization.yaml kustomization:web`, `
apps/{service}/overlays/{environment} (1, 1)
= pre-prod prod<pre-prod`},
}

// trapTests are trees that look like something else.
var trapTests = []shapeTest{
	{"folders without pins", `
config/{dev,staging,prod}/settings.yaml replicas
apps/{web,api}/overlays/{staging,prod}/kustomization.yaml kustomization:web`, `
apps/{service}/overlays/{environment} (2, 2)
= staging prod<staging`},
	{"nothing but folders without pins", `
deploy/values-{staging,production}.yaml replicas`, `
- deploy/values-{environment}.yaml: it is in staging, production and holds no pin`},
	{"empty values", `
apps/web/values-{staging,production}.yaml empty
apps/api/values-{staging,production}.yaml block:api`, `
apps/{service}/values-{environment}.yaml (1, 1)
= staging production<staging`},
	{"docs and examples", `
docs/examples/{web,api}/overlays/{staging,production}/kustomization.yaml kustomization:web
overlays/{staging,production}/kustomization.yaml kustomization:shop`, `
overlays/{environment} service shop (1, 1)
= staging production<staging`},
	{"fixtures", `
pkg/testdata/{staging,production}/kustomization.yaml kustomization:web
test/fixtures/{staging,production}/kustomization.yaml kustomization:web
node_modules/x/{staging,production}.yaml block:web`, ``},
	{"nothing but examples", `
examples/{web,api}/overlays/{staging,production}/kustomization.yaml kustomization:web`, `
examples/{service}/overlays/{environment} (2, 2)
= staging production<staging`},
	{"CI and compose", `
.github/workflows/{staging,production}.yaml workflow
ci/{staging,production}.gitlab-ci.yml =build:\n  image: quay.io/acme/builder:v1\n
docker-compose.{staging,production}.yml compose
azure-pipelines-{staging,production}.yml workflow`, `
- docker-compose.{environment}.yml: is of Docker Compose, in staging, production, and in no shape; in a pipeline: layout: [{path: "docker-compose.{environment}.yml", within: "services.{service}"}], images: ["services.{service}.image"]`},
	{"terraform", `
terraform/{staging,production}/terraform.tfvars.json terraform
terraform/{staging,production}/main.tf line`, `
- terraform/{environment}/terraform.tfvars.json: it is in staging, production and holds no pin`},
	{"a chart's own values", `
charts/web/values.yaml block:web
charts/web/Chart.yaml =apiVersion: v2\nname: web\nversion: 1.0.0\n
charts/web/templates/{staging,production}.yaml =image: quay.io/acme/web:v1\n`, ``},
	// Paths of pins are from the file's root. They were from the part of the environment, where
	// nothing is, and the board was of none.
	{"parts of environments in one file", `
deploy.yaml =dev:\n  web:\n    tag: v1.2\n  api:\n    tag: v2\nprod:\n  web:\n    tag: v1.1\n  api:\n    tag: v2\n`, `
deploy.yaml within {environment}.{service} images {environment}.{service}.tag (2, 2)
= dev prod<dev`},
	{"a list of versions", `
env/{dev,prod}/versions.json ={"web":"1.2.0","api":"2.0.0"}`, `
env/{environment}/versions.json service image images api,web (2, 2)
= dev prod<dev`},
	{"a list of versions for each environment", `
versions.yaml =dev:\n  web: 1.2.0\n  api: 2.0.0\nprod:\n  web: 1.1.0\n  api: 2.0.0\n`, `
versions.yaml within {environment} service image images {environment}.api,{environment}.web (2, 2)
= dev prod<dev`},
	{"something else among versions", `
env/{dev,prod}/versions.json ={"web":"1.2.0","team":"blue"}`, `
- env/{environment}/versions.json: it is in dev, prod and holds no pin`},
	{"one environment", `
apps/{web,api}/overlays/production/kustomization.yaml kustomization:web`, `
- apps/*/overlays/{environment}: holds pins and is in no shape: production is its only environment`},
	{"one environment and a base", `
apps/team/web/stg.yaml patch:web
apps/team/web/web.yaml patch:web`, `
- apps/team/web/{environment}.yaml: holds pins and is in no shape: stg is its only environment; apps/team/web/web.yaml pins the same and may be the last environment`},
	{"one stage", `
apps/web/overlays/{prod-eu,prod-us}/kustomization.yaml kustomization:web`, `
- apps/web/overlays/{environment}: its environments are all of one stage: prod-eu, prod-us`},
	{"an environment without pins", `
apps/{web,api}/overlays/{staging,production}/kustomization.yaml kustomization:web
apps/{web,api}/overlays/test/kustomization.yaml resources`, `
apps/{service}/overlays/{environment} (2, 2)
= staging production<staging
- apps/*/overlays/{environment}: environment test has no counterpart: its files hold no pin that another environment has`},
	{"services named like environments", `
apps/{dev-portal,test-runner,stage-manager}/overlays/{staging,production}/kustomization.yaml kustomization:web`, `
apps/{service}/overlays/{environment} (3, 3)
= staging production<staging`},
	{"services named like environments, with the same path", `
apps/{dev-portal,live-chat}/values.yaml tag`, `
- apps/{environment}-*/values.yaml: holds pins and is in no shape: no two environments have the same files`},
	{"a job for CI", `
apps/{web,api}/overlays/{staging,production}/kustomization.yaml kustomization:web
tools/ci/job.yaml image:builder`, `
apps/{service}/overlays/{environment} (2, 2)
= staging production<staging
- tools/{environment}/job.yaml: holds pins and is in no shape: ci is its only environment`},
	{"folders that are no services", `
clusters/{staging,production}/{rbac,quota,dns}.yaml configmap:x
clusters/{staging,production}/web.yaml patch:web`, `
clusters/{environment}/web.yaml service web (1, 1)
= staging production<staging`},
	{"teams without pins", `
{rbac,quota}/{x,y}/overlays/{staging,production}/kustomization.yaml resources
shop/{web,api}/overlays/{staging,production}/kustomization.yaml kustomization:web`, `
shop/{service}/overlays/{environment} (2, 2)
= staging production<staging`},
	{"other names elsewhere", `
apps/{web,api}/overlays/{staging,production}/kustomization.yaml kustomization:web
legacy/db/{stg,prd}.yaml block:db`, `
apps/{service}/overlays/{environment} (2, 2)
= staging production<staging
- legacy/{service}/{environment}.yaml: its environments have other names: stg, prd`},
	{"pins of different images", `
apps/web/overlays/staging/kustomization.yaml kustomization:web
apps/web/overlays/production/kustomization.yaml kustomization:other`, `
- apps/web/overlays/{environment}: its pins are in one environment alone`},
	{"charts beside images", `
apps/{web,api}/overlays/{staging,production}/kustomization.yaml kustomization:web
infrastructure/{staging,production}/{dns,vault}.yaml chart:dns`, `
apps/{service}/overlays/{environment} (2, 2)
= staging production<staging
- infrastructure/{environment}/{service}.yaml: holds pins of charts alone, and is in no shape`},
	{"a structural name among services", `
apps/{web,api,config}/overlays/{staging,production}/kustomization.yaml kustomization:web`, `
apps/{service}/overlays/{environment} (3, 3)
= staging production<staging`},
	{"templates", `
apps/web/{staging,production}.yaml template`, `
- apps/web/{environment}.yaml: it cannot be read: apps/web/production.yaml:1:8: looks like a template ({{), not like YAML`},
}
