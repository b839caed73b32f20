import sys

if "google.colab" in sys.modules:  # on Colab: fetch the course; anywhere else: nothing to do
    import subprocess
    from pathlib import Path

    address, course = "", Path("course").resolve()
    if address and not course.exists():
        subprocess.run(["git", "clone", "--depth=1", address, course], check=True)
    elif archives := sorted(Path().glob("course*.zip"), key=lambda path: path.stat().st_mtime):
        subprocess.run([sys.executable, "-m", "zipfile", "-e", archives[-1], course], check=True)
    elif not course.exists():
        raise FileNotFoundError("Run `make colab`, upload dist/course.zip by the folder icon on the left, run again.")
    sys.path.insert(0, str(course))
