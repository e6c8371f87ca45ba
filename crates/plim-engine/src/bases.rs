//! Where the images of FROM come from: recipes, aliases, the local store.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use plim_build::{Base, BaseError, BaseSource};
use plim_oci::location::Location;
use plim_oci::reference::Reference;
use plim_oci::{Events, Platform, read};

use crate::aliases::StandIn;
use crate::base::{Freshness, Maker, RecipeName};
use crate::build::BuildOptions;
use crate::pull::Platforms;
use crate::{Failure, Workspace, aliases, place, pull};

/// The registry name under which plim's own recipes are used in a Dockerfile.
pub(crate) const RECIPE_REGISTRY: &str = "plim.local";

/// Answers the builder's questions for base images.
pub(crate) struct Bases<'scope, 'env> {
    workspace: &'env Workspace,
    options: &'env BuildOptions,
    maker: Maker<'scope, 'env>,
    /// One lock a recipe: two stages that need the same one build it once.
    recipes: Mutex<HashMap<String, Arc<Mutex<Option<Base>>>>>,
}

impl<'scope, 'env> Bases<'scope, 'env> {
    /// Returns a source over the workspace's store, configuration and recipes.
    pub(crate) fn new(maker: Maker<'scope, 'env>, options: &'env BuildOptions) -> Self {
        Self { workspace: maker.workspace, options, maker, recipes: Mutex::default() }
    }

    fn find(&self, name: &str, platform: &Platform, events: &dyn Events) -> Result<Option<Base>, Failure> {
        if name.starts_with("oci:") || name.starts_with("oci-archive:") || name.starts_with("docker-archive:") {
            return self.elsewhere(name, platform, events).map(Some);
        }
        let reference = match place::parse(name)? {
            Location::Name(reference) | Location::Store(reference) => reference,
            other => return Err(Failure::tool(format!("{other} cannot be a base image"))),
        };
        if let Some((recipe, as_root)) = self.recipe_of(&reference, events)? {
            let base = self.recipe(&recipe, platform)?;
            return Ok(Some(if as_root {
                base.with_config(|config| {
                    config.config.user.clear();
                    "/".clone_into(&mut config.config.working_dir);
                })
            } else {
                base
            }));
        }
        if let Some(image) = self.alias_image(&reference) {
            return self.find(&image, platform, events);
        }
        if let Some(opened) = place::in_store(self.workspace, &reference)? {
            // pulled for another platform, perhaps
            if let Ok(image) = read::image(&*opened.blobs, &opened.root, platform) {
                return Ok(Some(image.into()));
            }
        }
        if self.workspace.host.offline {
            return Ok(None);
        }
        let opened = place::open_registry(self.workspace, &reference)?;
        pull::fetch(self.workspace, &reference, &opened, &Platforms::One(platform.clone()), false, events)?;
        Ok(Some(read::image(&self.workspace.store, &opened.root, platform)?.into()))
    }

    /// The recipe that a name means: `plim.local/NAME:SUITE`, an alias of plim.toml, the table of `--bases plim`; and whether
    /// its image is taken to run as root.
    fn recipe_of(&self, reference: &Reference, events: &dyn Events) -> Result<Option<(RecipeName, bool)>, Failure> {
        let tag = reference.tag().unwrap_or("latest");
        let recipe = |text: &str| RecipeName::parse(text).map(|name| Some((name, false)));
        if reference.registry() == RECIPE_REGISTRY {
            return recipe(&format!("{}:{tag}", reference.repository()));
        }
        for alias in &self.workspace.config.alias {
            if let (true, None, Some(meant)) = (same_name(&alias.name, reference), reference.digest(), &alias.recipe) {
                return recipe(meant);
            }
        }
        let Some(stand_in) = self.options.stand_ins(&self.workspace.config).then(|| stand_in(reference)).flatten()
        else {
            return Ok(None);
        };
        let meaning = format!("{} is plim.local/{}:trixie (--bases plim)", reference.familiar(), stand_in.recipe);
        let digest = reference.digest().map(|_| "a digest is asked for, which no stand-in has".to_owned());
        let differs: Vec<String> = digest.into_iter().chain(stand_in.differs).collect();
        if differs.is_empty() {
            self.workspace.note_once(events, &meaning);
        } else {
            self.workspace.warn_once(events, &format!("{meaning}: {}", differs.join("; ")));
        }
        Ok(Some((RecipeName::parse(stand_in.recipe)?, stand_in.as_root)))
    }

    fn alias_image(&self, reference: &Reference) -> Option<String> {
        let alias = self.workspace.config.alias.iter().find(|alias| same_name(&alias.name, reference))?;
        alias.image.clone()
    }

    fn recipe(&self, name: &RecipeName, platform: &Platform) -> Result<Base, Failure> {
        let slot = {
            let mut recipes = self.recipes.lock().unwrap_or_else(PoisonError::into_inner);
            recipes.entry(format!("{name} {platform}")).or_default().clone()
        };
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(base) = &*slot {
            return Ok(base.clone());
        }
        let mirror = self.options.mirror.as_deref();
        let base = self.maker.ensure(name, platform, mirror, Freshness::Cached)?.into_base();
        *slot = Some(base.clone());
        Ok(base)
    }

    /// Copies an image from a layout or archive into the store.
    fn elsewhere(&self, name: &str, platform: &Platform, events: &dyn Events) -> Result<Base, Failure> {
        let opened = place::open(self.workspace, name, events)?;
        plim_oci::copy::copy(
            &*opened.blobs,
            &self.workspace.store,
            &opened.root,
            plim_oci::copy::Options::default(),
            events,
        )?;
        Ok(read::image(&self.workspace.store, &opened.root, platform)?.into())
    }
}

impl BaseSource for Bases<'_, '_> {
    fn base(&self, name: &str, platform: &Platform, events: &dyn Events) -> Result<Option<Base>, BaseError> {
        let missing = match self.find(name, platform, events) {
            Ok(Some(image)) => return Ok(Some(image)),
            Ok(None) => Failure::tool(format!("there is no image {name}")).hint(format!(
                "it is not in the local store, and --offline keeps plim from asking its registry: `plim pull {name}` \
                 brings it, `plim base list` names plim's own recipes"
            )),
            Err(failure) => failure,
        };
        let known = name.parse::<Reference>().ok().and_then(|reference| stand_in(&reference));
        let hint = match known {
            Some(StandIn { recipe, differs, .. }) => Some(format!(
                "--bases plim takes plim's own recipe `{recipe}` for it{}; or give it a meaning in plim.toml:\n\n\
                 \x20     [[alias]]\n      name = \"{name}\"\n      recipe = \"{recipe}:trixie\"",
                differs.map_or(String::new(), |differs| format!(" ({differs})"))
            )),
            None => missing.hint.or_else(|| {
                Some(format!(
                    "bring it into the local store with `plim copy oci:DIR {name}` or `plim load FILE`, name a mirror \
                     with [[registry]] in plim.toml, or a recipe or image for it with [[alias]]"
                ))
            }),
        };
        Err(BaseError::new([vec![missing.message], missing.causes].concat().join(": "), hint))
    }
}

/// The recipe that stands in for a well-known name.
fn stand_in(reference: &Reference) -> Option<StandIn> {
    aliases::well_known(&reference.name(), reference.tag().unwrap_or("latest"))
}

/// Says whether an alias' name, short or long, is that reference.
fn same_name(alias: &str, reference: &Reference) -> bool {
    alias.parse::<Reference>().is_ok_and(|alias| {
        alias.name() == reference.name() && alias.tag().unwrap_or("latest") == reference.tag().unwrap_or("latest")
    })
}
