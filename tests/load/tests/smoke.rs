//! `tests/load/run --quick` with the built programs: the whole scene, every shape once. What is asserted is that it works and
//! that the figures are there; not what they are.

use serde_json::{Deserializer, Value};
use std::{path::Path, process::Command};

#[test]
fn every_shape_runs_against_nginx_and_modgate() {
    let load = Path::new(env!("CARGO_BIN_EXE_load"));
    let modgate = load.with_file_name("modgate");
    assert!(modgate.exists(), "{} is not built: `cargo build` makes it", modgate.display());
    let output = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/run"))
        .args(["--quick", "--json", "--load"])
        .arg(load)
        .arg("--bin")
        .arg(modgate)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let documents: Vec<Value> = Deserializer::from_slice(&output.stdout).into_iter().collect::<Result<_, _>>().unwrap();
    let [drive, cold] = documents.as_slice() else { panic!("{documents:?}") };

    let shapes = drive["shapes"].as_array().unwrap();
    assert_eq!(shapes.len(), 6 * 2 * 2, "kinds, protocols, numbers of connections");
    for shape in shapes {
        for (server, name) in shape["servers"].as_array().unwrap().iter().zip(["nginx", "modgate"]) {
            assert_eq!(server["server"], name);
            let round = &server["rounds"][0];
            for figure in ["requests", "seconds", "p50_us", "p99_us", "resident"] {
                assert!(round[figure].as_f64().unwrap() > 0.0, "{figure}: {round}");
            }
            assert!(round["cpu"]["serving"].as_f64().unwrap() > 0.0, "{round}");
        }
    }
    for server in cold["servers"].as_array().unwrap() {
        let (disk, memory) = (&server["from_disk"][0], &server["from_memory"][0]);
        assert_eq!(disk["streamed"], memory["streamed"]);
        assert!(disk["requests"].as_u64().unwrap() > 0, "{server}");
    }
}
