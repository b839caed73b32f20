import sys

if "google.colab" in sys.modules:  # on Colab: fetch the course; anywhere else: nothing to do
    from pathlib import Path
    from shutil import unpack_archive
    from subprocess import run

    address, course = "", Path("course").resolve()
    if address and not course.exists():
        run(["git", "clone", "--depth=1", address, course], check=True)
    elif archives := sorted(Path().glob("course*.zip"), key=lambda path: path.stat().st_mtime):
        unpack_archive(archives[-1], course)
    elif not course.exists():
        raise FileNotFoundError("Run `make colab`, upload dist/course.zip by the folder icon on the left, run again.")
    sys.path.insert(0, str(course))
