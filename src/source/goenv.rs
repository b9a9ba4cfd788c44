//! What the `go` command would take GOPROXY and GOSUMDB to be, found out without running it.
//!
//! Its own order (`cmd/go/internal/cfg`): the environment, then the file that `go env -w` writes, then `go.env` of the
//! Go installation; an empty value in the environment counts as none, an empty one in the user's file does hide the
//! installation's. The defaults of the public are in that last file and nowhere here: nobody who has no Go installed
//! and configured nothing is sent to a host that they did not name.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

/// The operating system's conventions, as far as they matter here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Platform {
    /// Linux and other Unix systems.
    Unix,
    /// macOS.
    Mac,
    /// Windows.
    Windows,
}

/// The variables of a process and its platform, as a value.
#[derive(Clone)]
pub struct Environment {
    variables: BTreeMap<String, String>,
    platform: Platform,
}

/// A setting and where it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoSetting {
    /// Its value, never empty.
    pub value: String,
    /// Where: `the environment`, or a file's path.
    pub origin: String,
}

impl Environment {
    /// An environment made up of `variables`.
    pub fn new(platform: Platform, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let name = |name: String| if platform == Platform::Windows { name.to_ascii_uppercase() } else { name };
        Self { variables: variables.into_iter().map(|(key, value)| (name(key), value)).collect(), platform }
    }

    /// That of this process; variables that are not UTF-8 are left out.
    pub fn of_process() -> Self {
        let platform = match () {
            () if cfg!(windows) => Platform::Windows,
            () if cfg!(target_os = "macos") => Platform::Mac,
            () => Platform::Unix,
        };
        let texts =
            std::env::vars_os().filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)));
        Self::new(platform, texts)
    }

    /// The variable's value, unless it is unset or empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        let value = match self.platform {
            Platform::Windows => self.variables.get(&name.to_ascii_uppercase()),
            Platform::Unix | Platform::Mac => self.variables.get(name),
        };
        value.map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The file that `go env -w` writes: GOENV, or `go/env` in the user's configuration directory (`os.UserConfigDir`).
    fn user_file(&self) -> Option<PathBuf> {
        match self.get("GOENV") {
            Some("off") => return None,
            Some(file) => return Some(file.into()),
            None => {}
        }
        let home = || self.get("HOME").map(PathBuf::from);
        let directory = match self.platform {
            Platform::Windows => PathBuf::from(self.get("APPDATA")?),
            Platform::Mac => home()?.join("Library/Application Support"),
            Platform::Unix => match self.get("XDG_CONFIG_HOME").map(PathBuf::from) {
                Some(directory) if directory.is_absolute() => directory,
                Some(_) => return None,
                None => home()?.join(".config"),
            },
        };
        Some(directory.join("go").join("env"))
    }

    /// `go.env` of the Go installation: that of GOROOT (the user's file goes first here, as in `go`), or of the first
    /// `go` in PATH, where it lies or where its link leads.
    fn installation_file(&self, user: &BTreeMap<String, String>) -> Option<PathBuf> {
        let root =
            user.get("GOROOT").map(String::as_str).filter(|root| !root.is_empty()).or_else(|| self.get("GOROOT"));
        if let Some(root) = root {
            return Some(Path::new(root).join("go.env"));
        }
        let go = self.find_go()?;
        let real = fs::canonicalize(&go).ok();
        [Some(go), real].into_iter().flatten().find_map(|go| {
            // GOROOT/bin/go, or GOROOT/bin/GOOS_GOARCH/go of a cross-compiled installation.
            go.ancestors().skip(2).take(2).map(|root| root.join("go.env")).find(|file| file.is_file())
        })
    }

    fn find_go(&self) -> Option<PathBuf> {
        let (separator, name) = if self.platform == Platform::Windows { (';', "go.exe") } else { (':', "go") };
        let directories = self.get("PATH")?.split(separator).map(Path::new).filter(|path| path.is_absolute());
        directories.map(|directory| directory.join(name)).find(|file| is_executable(file))
    }
}

/// The value that the `go` command would use for `name` (GOPROXY, GOSUMDB), unless nothing says one.
pub fn go_setting(name: &str, environment: &Environment) -> Option<GoSetting> {
    if let Some(value) = environment.get(name) {
        return Some(GoSetting { value: value.to_owned(), origin: "the environment".into() });
    }
    let user_file = environment.user_file();
    let user = user_file.as_deref().map(read).unwrap_or_default();
    let (value, file) = match user.get(name) {
        Some(value) => (value.clone(), user_file?),
        None => {
            let file = environment.installation_file(&user)?;
            (read(&file).remove(name)?, file)
        }
    };
    (!value.is_empty()).then(|| GoSetting { value, origin: file.display().to_string() })
}

/// The lines `NAME=value` of a file; all others are passed over, as is a file that is not there.
fn read(file: &Path) -> BTreeMap<String, String> {
    let text = match fs::read(file) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) => {
            if error.kind() != io::ErrorKind::NotFound {
                tracing::warn!(file = %file.display(), %error, "cannot read a file of the go command's settings");
            }
            return BTreeMap::new();
        }
    };
    let named = text.lines().filter(|line| line.starts_with(|first: char| first.is_ascii_uppercase()));
    named.filter_map(|line| line.split_once('=')).map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

#[cfg(unix)]
fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(file).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(file: &Path) -> bool {
    file.is_file()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    /// A home and a Go installation in a directory of its own.
    struct Machine {
        directory: TempDir,
        variables: Vec<(String, String)>,
        platform: Platform,
    }

    impl Machine {
        fn new(platform: Platform) -> Self {
            Self { directory: tempfile::tempdir().unwrap(), variables: Vec::new(), platform }
        }
        fn path(&self, relative: &str) -> String {
            self.directory.path().join(relative).to_str().unwrap().to_owned()
        }
        fn write(&self, relative: &str, text: &str) {
            let file = self.directory.path().join(relative);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, text).unwrap();
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt;
                fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
            }
        }
        fn set(&mut self, name: &str, value: &str) -> &mut Self {
            self.variables.push((name.into(), value.into()));
            self
        }
        fn goproxy(&self) -> Option<String> {
            let environment = Environment::new(self.platform, self.variables.clone());
            go_setting("GOPROXY", &environment).map(|setting| setting.value)
        }
    }

    #[test]
    fn the_environment_beats_the_users_file_beats_the_installation() {
        let mut machine = Machine::new(Platform::Unix);
        let (home, path) = (machine.path("home"), machine.path("go/bin"));
        machine.set("HOME", &home).set("PATH", &format!("relative::/nowhere:{path}"));
        assert_eq!(machine.goproxy(), None);
        machine.write("go/bin/go", "");
        assert_eq!(machine.goproxy(), None);
        machine.write("go/go.env", "# GOPROXY=https://comment\nGOPROXY=https://installed,direct\nGOSUMDB=s\n");
        assert_eq!(machine.goproxy().as_deref(), Some("https://installed,direct"));
        machine.write("home/.config/go/env", "GOFLAGS=-x\r\nGOPROXY=https://user\r\nrubbish\n=\n");
        assert_eq!(machine.goproxy().as_deref(), Some("https://user"));
        machine.set("GOPROXY", "");
        assert_eq!(machine.goproxy().as_deref(), Some("https://user"));
        machine.set("GOPROXY", "https://environment");
        assert_eq!(machine.goproxy().as_deref(), Some("https://environment"));
    }

    #[test]
    fn each_setting_says_where_it_was_found() {
        let mut machine = Machine::new(Platform::Unix);
        let (home, root) = (machine.path("home"), machine.path("go"));
        machine.set("HOME", &home).set("GOROOT", &root);
        machine.write("home/.config/go/env", "GOPROXY=https://user\n");
        machine.write("go/go.env", "GOSUMDB=sum.example\n");
        let environment = Environment::new(Platform::Unix, machine.variables.clone());
        assert_eq!(go_setting("GOSUMDB", &environment).unwrap().origin, machine.path("go/go.env"));
        assert_eq!(go_setting("GOPROXY", &environment).unwrap().origin, machine.path("home/.config/go/env"));
    }

    #[test]
    fn an_empty_value_in_the_users_file_hides_the_installation() {
        let mut machine = Machine::new(Platform::Unix);
        let (home, root) = (machine.path("home"), machine.path("go"));
        machine.set("HOME", &home).set("GOROOT", &root);
        machine.write("go/go.env", "GOPROXY=https://installed\n");
        machine.write("home/.config/go/env", "GOPROXY=\n");
        assert_eq!(machine.goproxy(), None);
    }

    #[test]
    fn the_users_file_is_where_each_system_keeps_it() {
        let file = "GOPROXY=https://user\n";
        for (platform, variable, directory, place) in [
            (Platform::Unix, "XDG_CONFIG_HOME", "xdg", "xdg/go/env"),
            (Platform::Mac, "HOME", "home", "home/Library/Application Support/go/env"),
            (Platform::Windows, "AppData", "roaming", "roaming/go/env"),
            (Platform::Unix, "GOENV", "elsewhere", "elsewhere"),
        ] {
            let mut machine = Machine::new(platform);
            let value = machine.path(directory);
            machine.set(variable, &value).write(place, file);
            assert_eq!(machine.goproxy().as_deref(), Some("https://user"), "{platform:?} {variable}");
            machine.set("GOENV", "off");
            assert_eq!(machine.goproxy(), None, "{platform:?} {variable}");
        }
        let mut relative = Machine::new(Platform::Unix);
        let home = relative.path("home");
        relative.set("HOME", &home).set("XDG_CONFIG_HOME", "relative").write("home/.config/go/env", file);
        assert_eq!(relative.goproxy(), None);
    }

    #[test]
    fn goroot_of_the_users_file_goes_first() {
        let mut machine = Machine::new(Platform::Unix);
        let (home, root, users) = (machine.path("home"), machine.path("go"), machine.path("users"));
        machine.set("HOME", &home).set("GOROOT", &root);
        machine.write("go/go.env", "GOPROXY=https://installed\n");
        machine.write("users/go.env", "GOPROXY=https://users\n");
        machine.write("home/.config/go/env", &format!("GOROOT={users}\n"));
        assert_eq!(machine.goproxy().as_deref(), Some("https://users"));
    }

    #[cfg(unix)]
    #[test]
    fn a_link_in_the_path_leads_to_the_installation() {
        let mut machine = Machine::new(Platform::Unix);
        machine.write("lib/go/bin/go", "");
        machine.write("lib/go/go.env", "GOPROXY=https://linked\n");
        fs::create_dir(machine.path("bin")).unwrap();
        std::os::unix::fs::symlink(machine.path("lib/go/bin/go"), machine.path("bin/go")).unwrap();
        let path = machine.path("bin");
        machine.set("PATH", &path);
        assert_eq!(machine.goproxy().as_deref(), Some("https://linked"));
    }
}
