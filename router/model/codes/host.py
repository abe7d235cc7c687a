"""SW05xx and SW0600 to SW0659: the machine, the programs that run the router there, and files."""

from typing import Final

from router.model.codes.code import Code

CHECKED: Final = (
    Code(
        "SW0501",
        "Python",
        "The version that runs.",
        "Python 3.11 or later",
    ),
    Code(
        "SW0502",
        "The event loop",
        "Without uvloop asyncio's own is used, which is slower.",
        "pip install uvloop",
    ),
    Code(
        "SW0503",
        "TLS",
        "Links need TLS 1.3.",
        "Update OpenSSL",
    ),
    Code(
        "SW0504",
        "Open files",
        "How many the router may have open, or this user while it does not run; each connection is "
        "one.",
        "ulimit -Hn 4096, or LimitNOFILE= of the unit",
    ),
    Code(
        "SW0505",
        "The state directory",
        "Sites are kept there, so it must be writable, its disk must have room, and the files that "
        "the router wrote there must be whole.",
        "Choose another: --state DIR; or free space there; or delete the file that is damaged",
    ),
    Code(
        "SW0510",
        "The site",
        "Which one was looked at.",
        "sitectl --site NAME for another",
    ),
    Code(
        "SW0511",
        "Keys",
        "They are there, belong together, and are closed to other users.",
        "chmod -R go-rwx secrets; sitectl restore FILE if one is damaged",
    ),
    Code(
        "SW0512",
        "Documents",
        "All are valid.",
        "Nothing",
    ),
    Code(
        "SW0513",
        "The router",
        "Whether it runs and serves. An error also where it was killed or crashed.",
        "sitectl start; if it does not answer: sitectl debug dump FILE",
    ),
    Code(
        "SW0514",
        "Ports",
        "Whether the addresses that the site listens on can be bound.",
        "End who has it, as the text names it, or choose another",
    ),
    Code(
        "SW0515",
        "Links",
        "Whether each is up.",
        "sitectl link status NAME; docs/troubleshooting.md",
    ),
    Code(
        "SW0516",
        "Listeners",
        "Whether clients of this site reach each service.",
        "Free the port, or: sitectl service set NAME:PORT --listen [IP:]PORT",
    ),
    Code(
        "SW0517",
        "Targets",
        "Whether each service has a ready target at some site. A service without one is a problem "
        "(SW0309) where it is declared and has targets, and once a client of the site asks for it.",
        "sitectl why NAME, or: sitectl service bind NAME TYPE NAME",
    ),
    Code(
        "SW0518",
        "Certificates",
        "How long they are valid.",
        "They are renewed by themselves; a CA: sitectl ca rotate",
    ),
    Code(
        "SW0519",
        "Workers",
        "Whether all processes of the router serve, whether there are cores for them, and whether "
        "its document wants another number of them.",
        "sitectl update --workers auto; docs/workers.md",
    ),
    Code(
        "SW0520",
        "A request by each site",
        "check --traffic sends one harmless request by each site that has targets of a service: "
        "GET / or the path of its health checks, for tcp a connection that closes again. An "
        "answer below 500 is good.",
        "sitectl service status NAME, and at the site that is named: sitectl check",
    ),
)

RUNTIMES: Final = (
    Code(
        "SW0600",
        "systemd cannot be reached",
        "No router can run as its unit.",
        "As the text says: another user, or sitectl switch process",
    ),
    Code(
        "SW0601",
        "The user does not linger",
        "Logout ends the router, a reboot does not start it.",
        "loginctl enable-linger USER",
    ),
    Code(
        "SW0602",
        "Not yours to run",
        "It is a unit of the system and you are not root, or one of root's would run what "
        "another owns.",
        "Run it as root, or put scope: system into runtime.yaml",
    ),
    Code(
        "SW0604",
        "No user name spaces",
        "The sandbox of a user's unit is system calls alone; it sees the whole disk.",
        "Or run it as root: a system unit",
    ),
    Code(
        "SW0605",
        "The account cannot reach Python or the site",
        "The unit's account may not read them.",
        "chmod -R go+rX DIR",
    ),
    Code(
        "SW0606",
        "A low port",
        "A user's router may not bind it.",
        "sysctl net.ipv4.ip_unprivileged_port_start=PORT",
    ),
    Code(
        "SW0607",
        "A unit of another site",
        "It is never touched.",
        "Rename one of the two sites",
    ),
    Code(
        "SW0608",
        "A unit of another version",
        "It is not what this version makes of the site.",
        "sitectl start",
    ),
    Code(
        "SW0609",
        "The account `spillway`",
        "It could not be made or removed, or a file not handed over.",
        "As its words say",
    ),
    Code(
        "SW0610",
        "No container engine",
        "podman or docker is not installed.",
        "Install it, as the text says",
    ),
    Code(
        "SW0611",
        "The engine refused",
        "Its own words are shown.",
        "podman logs NAME; podman info",
    ),
    Code(
        "SW0612",
        "The image is not here",
        "And it cannot be pulled.",
        "podman load -i FILE, or sitectl update --image NEW",
    ),
    Code(
        "SW0613",
        "A word that no engine takes",
        "In runtime.yaml, or the path of the site's directory.",
        "Fix the file, or keep sites elsewhere: --state DIR",
    ),
    Code(
        "SW0615",
        "The Quadlet generator refuses the unit",
        "Its words are shown.",
        "Fix runtime.yaml, or type the command again",
    ),
    Code(
        "SW0616",
        "No range in /etc/subuid",
        "Rootless podman needs one.",
        "usermod --add-subuids, as the text says; podman system migrate",
    ),
    Code(
        "SW0617",
        "No systemd here",
        "Nothing starts the router after a reboot.",
        "Start it from what starts this host's services",
    ),
    Code(
        "SW0618",
        "The user does not linger",
        "Its container ends with its login.",
        "loginctl enable-linger USER",
    ),
    Code(
        "SW0619",
        "cgroups v1",
        "Rootless podman cannot limit memory and processes.",
        "Boot with systemd.unified_cgroup_hierarchy=1",
    ),
    Code(
        "SW0620",
        "Keys are read by the router itself",
        "This systemd cannot hand them over.",
        "Nothing; systemd 247 or later can",
    ),
)

GATEWAYS: Final = (
    Code(
        "SW0630",
        "A gateway's own file",
        "It says which site the gateway belongs to, and cannot be read.",
        "Fix the file that is named",
    ),
    Code(
        "SW0631",
        "No systemd for a gateway",
        "Type `service` needs it.",
        "sitectl gateway init --type podman",
    ),
    Code(
        "SW0632",
        "No engine for a gateway",
        "podman or docker is not installed.",
        "Install it, as the text says",
    ),
    Code(
        "SW0633",
        "A private site",
        "A gateway outside of it cannot dial it.",
        "Give the site an ingress, or: sitectl gateway init --ingress-host HOST:PORT",
    ),
    Code(
        "SW0634",
        "A gateway that is half made",
        "Its init was interrupted.",
        "sitectl gateway init --name NAME",
    ),
    Code(
        "SW0635",
        "A gateway that is not linked",
        "Its services are not reached.",
        "sitectl gateway status; sitectl link status",
    ),
    Code(
        "SW0640",
        "A value in gateway YAML",
        "It cannot be used.",
        "Correct it at the line that is named",
    ),
    Code(
        "SW0641",
        "An unknown key in gateway YAML",
        "It has no meaning.",
        "Correct its spelling, or remove it",
    ),
    Code(
        "SW0642",
        "Ports in gateway YAML that do not fit",
        "A target stands for the whole service: it must serve all its ports.",
        "Give as many target ports as ports",
    ),
    Code(
        "SW0643",
        "Entries of gateway YAML that contradict each other",
        "They cannot both be.",
        "Keep one of them",
    ),
    Code(
        "SW0644",
        "Something in gateway YAML without use here",
        "It has no effect.",
        "Nothing; it may be removed",
    ),
    Code(
        "SW0645",
        "No gateway YAML",
        "The file is something else.",
        "sitectl gateway export-config FILE shows one",
    ),
    Code(
        "SW0646",
        "An image archive that cannot be read",
        "The engine wrote it and it is damaged.",
        "podman info; then type the same again",
    ),
)

BACKUPS: Final = (
    Code(
        "SW0655",
        "The passphrase of a backup",
        "There is none, it is short, or not the one it was sealed with.",
        "Give it: --passphrase-file FILE",
    ),
    Code(
        "SW0656",
        "No backup",
        "The file is something else, or cut off.",
        "Try another backup",
    ),
    Code(
        "SW0657",
        "A backup of another version",
        "Its format, key derivation or size is not known here.",
        "Use the version that made it, or a newer one",
    ),
    Code(
        "SW0658",
        "Where a backup goes",
        "Another site is there, or its router runs.",
        "sitectl stop, or another --site",
    ),
    Code(
        "SW0659",
        "What is in a backup",
        "It makes no site, or what should go in does not.",
        "Try another backup",
    ),
)
