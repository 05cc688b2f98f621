# A task that reads what prestart has placed in the folder of its allocation; poststop gives it back.
job "reader" {
  type = "batch"

  group "reader" {
    task "fetch" {
      lifecycle {
        hook = "prestart"
      }
      driver = "raw_exec"
      config {
        command = "/usr/bin/fetchfs"
        args    = ["prepare", "--method", "bind", "${NOMAD_ALLOC_DIR}/data", "https://example.org/model.bin"]
      }
    }

    task "read" {
      driver = "raw_exec"
      config {
        command = "/usr/bin/sha256sum"
        args    = ["${NOMAD_ALLOC_DIR}/data/model.bin"]
      }
    }

    task "release" {
      lifecycle {
        hook = "poststop"
      }
      driver = "raw_exec"
      config {
        command = "/usr/bin/fetchfs"
        args    = ["release", "${NOMAD_ALLOC_DIR}/data"]
      }
    }
  }
}
