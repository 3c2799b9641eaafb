"""Words the rules must know: acronyms everybody knows, words that may stand twice, stop words."""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


KNOWN_ACRONYMS = _words(
    """
    ACL AI AJAX AM AMD ANSI API APIS APK ARM ARN ASCII ASGI AST AWS AZ BBC BIOS BIT BMP BOM BSD CA
    CAD CD CDN CEO CFO CI CGI CIDR CLI CMS CNAME CORS CPAN CPU CPUS CRC CRLF CRM CRUD CS CSP CSRF
    CSS CSV CTO CUDA CVE DB DBMS DDL DDOS DHCP DIY DKIM DLL DML DNA DNS DOI DOM DOS DPI DRY DSL DTD
    DVD EBS EC2 ECDSA ECMA ECS EKS ELB EMR EOF EOL ERP ETA ETC ETL EU EULA FAQ FAQS FBI FIFO FIPS
    FTP FTPS GB GCC GCP GDB GDPR GIF GIMP GIT GMT GNU GNOME GPG GPL GPS GPU GPUS GPT GUI GUID HDD
    HDMI HEAD HEX HMAC HTML HTML5 HTTP HTTP2 HTTPS IAM IANA IBM ICMP ICU ID IDE IDES IDS IE IEC IEEE
    IETF IMAP INI IO IOS IOT IP IPC IPV4 IPV6 IRC ISBN ISO ISP IT JAR JDK JIT JPEG JPG JS JSON JSONL
    JSX JVM JWK JWKS JWT KB KMS KPI LAN LDAP LED LGPL LIFO LLM LLMS LRU LSP LTS LTE MAC MB MBA MD
    MD5 MDN MFA MIME MIT ML MP3 MP4 MPL MQTT MS MVC MVP NAS NASA NAT NATO NB NET NFS NGINX NIST NLP
    NODE NPM NTP NVME OAUTH OCI OCR OK OOP OPEC ORM OS OSS OTP OWASP PC PCI PCRE PDF PDFS PEM PEP
    PHP PID PIN PKI PKCS PM PNG POC POP3 POSIX POST PR PRS PS PUT PX QA QPS QR RAID RAM RDBMS RDF
    RDS REPL REST RFC RFCS RGB RHEL ROI ROM RPC RPM RSA RSS RTF RTT S3 SAAS SAML SASL SCM SDK SDKS
    SEO SFTP SHA SHA1 SHA256 SIGINT SIGTERM SLA SLO SMS SMTP SNS SOAP SOC SPA SQL SQS SRE SSD SSE
    SSH SSL SSO STDIN STDOUT SVG SVN TB TCP TLD TLS TODO TOML TOTP TSV TTL TTY TV UDP UI UID UK UML
    UN UNIX URI URIS URL URLS URN US USA USB USD UTC UTF UTF8 UUID UUIDS UX VAT VCS VIP VM VMS VPC
    VPN VPS WAF WAN WASM WEBP WIFI WSGI WWW XHR XML XMPP XSD XSLT XSS YAML ZIP README VS TL DR HTTPX
    XOR SUSE MCP SPDX IOPS MSI UEFI HR CMD RTL IMDB FIN SYN ACK AIX APT BASH CET DEC DHS DEBIAN EDT
    EST PDT PST HP LG UTF16 ISO8601 JPY EUR GBP CHF AD BC BCE CE PHD MSC MD5SUM GET DELETE PATCH
    OPTIONS SELECT INSERT UPDATE WHERE JOIN NULL TRUE FALSE NAN FROM TABLE CREATE DROP AND ANY ARE
    ALL ALSO BEFORE AFTER ALWAYS BUT CAN CANNOT CAUTION DANGER DO DOES DON DONE EACH ELSE EVERY
    FIRST FOR HAS HAVE HERE HINT HOW IF IMPORTANT IN INFO IS IT ITS JUST LAST MAY ME MIGHT MORE MOST
    MUST MY NEVER NEW NEXT NO NOT NOTE NOTES NOW OF OFF ON ONE ONLY OR OUR OUT OVER PLEASE SAME
    SHALL SHOULD SO SOME STOP SURE THAT THE THEN THERE THESE THIS TIP TO TOO TWO UNDER UP USE USED
    VERY WARN WAS WE WHAT WHEN WHO WHY WILL WITH YES YET YOU YOUR NOR ERROR FATAL DEBUG TRACE WIP
    TBD TBC TBA FIXME XXX II III IV VI VII VIII IX XI XII XIII XIV XV XVI XX XXI JAN FEB MAR APR JUN
    JUL AUG SEP OCT NOV MON TUE WED THU FRI SAT SUN
    """
)

# "that that", "had had"; French "nous nous", German "die die" are right as they stand.
LEGITIMATE_REPEATS = _words(
    """
    that had is so very no yes really long far bye ha ho blah bla bora cha chop couscous do dum go
    hear knock log now out paw pay please pom tom tut win wow yum nous vous die das der sie den dem
    si sa ta la na da mm hm uh ah oh more again never bang tick ping ding yo
    """
)

STOP_WORDS = _words(
    """
    a about above after again against all also am an and any are aren't as at be because been before
    being below between both but by can can't cannot could couldn't did didn't do does doesn't doing
    don't down during each else ever every few for from further get gets give given go got had
    hadn't has hasn't have haven't having he her here hers herself him himself his how however i if
    in into is isn't it its itself just let like made make makes many may me might mine more most
    much must my myself no nor not of off on once one only or other our ours ourselves out over own
    please same say see shall she should shouldn't so some such tell than that the their theirs them
    themselves then there these they this those through to too under until up upon us use used uses
    using very was wasn't we were weren't what what's when where whether which while who whom whose
    why will with within without won't would wouldn't yes you your yours yourself explain describe
    show me mean means want need work works
    """
)
